"""Atomic files: a reader finds the whole of a file or none of it, two writers lose nothing."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

GIB = 2**30
"""Bytes."""

PART = ".part"
"""Suffix of a file that is being written: `.<name>.<some letters>.part`."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread holds the lock of `path`, and hold it in the block.

    For a file that is read, changed and written again. Readers need no lock: the file is replaced
    atomically. What is locked is `.<name>.lock` beside it, which stays there, empty: were it
    removed, two processes could hold locks of two files of that name. The kernel frees the lock
    when its process ends, killed or not.

    Between machines it holds where the file system passes `flock` on: NFS does, Lustre if mounted
    with `flock`. Where it refuses (NFS mounted without locks), a warning says so and the block goes
    on without.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            log.warning("%s: no lock (%s): do not let two processes change it", path, error)
        yield


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that replaces it when the block ends without an error.

    The data are flushed to the disk before the rename. On any exception, Ctrl-C included, the
    temporary file is removed and `path` stays as it was. What is no regular file, such as a device
    or a pipe, is written to as it is.

    Raises:
        IsADirectoryError: there is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        yield path
        return
    with _part_of(path) as part:
        yield part
        _flush(part)
        part.replace(path)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files, each atomically, and all flushed before any of them takes its place.

    Flushed one after the other, each would wait for the disk; here most find their data written.
    """
    with ExitStack() as stack:
        parts = {path: stack.enter_context(_part_of(path)) for path in contents}
        for path, part in parts.items():
            with naming(path):
                part.write_bytes(contents[path])
        for path, part in parts.items():
            with naming(path):
                _flush(part)
        for path, part in parts.items():
            part.replace(path)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, which is removed on any exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    except OSError as error:
        error.filename = str(path)
        raise
    os.close(handle)
    part = Path(name)
    try:
        yield part
    except BaseException as error:
        part.unlink(missing_ok=True)
        _name(error, path)
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the operating system that name no file, such as that of a full disk, name this one.

    Args:
        path: of the file.
    """
    try:
        yield
    except OSError as error:
        _name(error, path)
        raise


def _name(error: BaseException, path: Path) -> None:
    """A full disk is said without the name of the file."""
    if isinstance(error, OSError) and error.filename is None:
        error.filename = str(path)


def _flush(part: Path) -> None:
    part.chmod(0o644)
    with part.open("rb") as written:
        os.fsync(written.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically.

    File names that are no UTF-8 hold characters that are none of it; they are written as `\\udcff`,
    which in JSON stands for the character itself.
    """
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in the given order; the caller replaces NaN by null."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """As `write_json` writes it."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Content of a JSON file, or None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file in hex; `algorithm` by hashlib's names."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
