"""Files of pictures and clips that are read, and what is known of them afterwards."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from oodbench.core.errors import DiskError
from oodbench.data.containers.opened import member_state, read_member
from oodbench.data.patience import patiently


class FileState(NamedTuple):
    """When a file was last changed, in nanoseconds, and how many bytes it has."""

    modified: int
    size: int


NO_FILE = FileState(0, 0)
"""Of an item that is in no file of its own."""


class Decoded(NamedTuple):
    """A file that was decoded: its time in nanoseconds, its bytes, and their sha256."""

    modified: int
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read.

    Attributes:
        state: before it was.
        sha256: of the bytes that were read; 32 bytes.
    """

    path: Path
    state: FileState
    sha256: bytes

    @property
    def decoded(self) -> Decoded:
        """What is kept of it."""
        return Decoded(*self.state, self.sha256)


_reading: ContextVar[list[ReadFile] | None] = ContextVar("_reading", default=None)


@contextmanager
def files_read() -> Iterator[list[ReadFile]]:
    """The files that this thread reads meanwhile, by `read_file`."""
    found: list[ReadFile] = []
    token = _reading.set(found)
    try:
        yield found
    finally:
        _reading.reset(token)


def read_file(path: Path) -> bytes:
    """The bytes of a file, also of one in a container, which is named to `files_read`.

    Raises:
        OSError: it cannot be read.
        DiskError: its disk does not answer.
        DataError: it is in a container, and damaged.
    """
    state, content = patiently(lambda: _read(path), path)
    if _reading.get() is not None:
        name_read(ReadFile(path, state, hashlib.sha256(content).digest()))
    return content


def gone(error: OSError, path: Path) -> DiskError:
    """The error for a file that is no longer there, which is not left out as a damaged one is.

    It names the folder where that is gone too, as when a disk was unmounted.

    Args:
        error: which says that there is no such file.
        path: that was asked for: of a file, or of one in a container, which the error may name.
    """
    missing = Path(os.fsdecode(error.filename or path))
    while missing.parent != missing and not os.path.exists(missing.parent):  # noqa: PTH110
        missing = missing.parent  # Path.exists raises where a mount is broken
    return DiskError(
        f"{missing}: no longer there: mount it again, or put it back; the same command goes on "
        "from there"
    )


def _read(path: Path) -> tuple[FileState, bytes]:
    try:
        with path.open("rb") as file:
            return _state(os.fstat(file.fileno())), file.read()
    except (FileNotFoundError, NotADirectoryError):
        found = read_member(path)
        if found is None:
            raise
        return FileState(found.modified, len(found.content)), found.content


def name_read(file: ReadFile) -> None:
    """Name a file to `files_read`."""
    reading = _reading.get()
    if reading is not None:
        reading.append(file)


def file_state(path: Path | str) -> FileState:
    """Of the file that is there now; `NO_FILE` where there is none.

    In a container it is the time of the file that holds it.
    """
    try:
        return _state(os.stat(path))  # noqa: PTH116 - half the time of Path.stat
    except OSError:
        found = member_state(str(path))
        return NO_FILE if found is None else FileState(*found)


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_mtime_ns, status.st_size)
