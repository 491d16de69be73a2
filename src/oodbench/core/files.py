"""Atomic files: a reader finds the whole of a file or none of it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that replaces it when the block ends without an error.

    The data are flushed to the disk before the rename. On any exception, Ctrl-C included, the
    temporary file is removed and `path` stays as it was.
    """
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
            part.write_bytes(contents[path])
        for part in parts.values():
            _flush(part)
        for path, part in parts.items():
            part.replace(path)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, which is removed on any exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _flush(part: Path) -> None:
    part.chmod(0o644)
    with part.open("rb") as written:
        os.fsync(written.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in the given order; the caller replaces NaN by null."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
