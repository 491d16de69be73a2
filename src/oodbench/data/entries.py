"""What lies in a folder of a data set: files of the wanted kind, folders, and what is neither."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oodbench.core.errors import DataError, printable
from oodbench.data.containers.kinds import may_be_container
from oodbench.data.containers.opened import files_in, folders_in, holds_file, holds_folder
from oodbench.data.manifest import CHECKSUMS, DEMO_MARK
from oodbench.data.patience import PASSING, patiently

log = logging.getLogger(__name__)

OF_SYSTEMS = frozenset({"lost+found", "@eaDir", "__MACOSX", "System Volume Information"})
"""Folders that file systems, network stores and archives leave beside the data."""

OWN = frozenset({DEMO_MARK, CHECKSUMS})
"""Files that `oodbench-data` leaves beside the pictures that it makes."""

_said: set[str] = set()


class _Status(Protocol):
    @property
    def st_size(self) -> int: ...


class Entry(Protocol):
    """What is asked of an `os.DirEntry`."""

    @property
    def name(self) -> str:
        """Without the path."""
        ...

    def is_dir(self) -> bool:
        """Also of a link to a folder."""
        ...

    def is_file(self) -> bool:
        """Also of a link to a file."""
        ...

    def is_symlink(self) -> bool:
        """Whether it is a link."""
        ...

    def stat(self) -> _Status:
        """Of what a link leads to."""
        ...


@dataclass(frozen=True, slots=True)
class _InContainer:
    """A file, or a folder, which has no size."""

    name: str
    st_size: int | None

    def is_dir(self) -> bool:
        return self.st_size is None

    def is_file(self) -> bool:
        return self.st_size is not None

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> _Status:
        return self  # type: ignore[return-value]


@contextmanager
def entries(folder: Path) -> Iterator[Iterator[Entry]]:
    """Of a folder, without the hidden ones, those of systems and our own notes.

    A folder may be in a container, or be one, see `data.containers`.

    Raises:
        DataError: it cannot be read, or the container is damaged.
        DiskError: its disk does not answer.
        FileNotFoundError, NotADirectoryError: it is no folder.
    """
    try:
        found = _scanned(folder)
    except PermissionError as error:
        raise DataError(f"{error.filename or folder}: may not be read: change its mode") from None
    yield (
        entry
        for entry in found
        if not entry.name.startswith((".", "$")) and entry.name not in OF_SYSTEMS | OWN
    )


def _scanned(folder: Path) -> list[Entry]:
    try:
        found = patiently(lambda: _scanned_once(folder), folder)
        if not may_be_container(entry.name for entry in found):
            return found
        return found if (inside := _in_container(folder)) is None else inside
    except (FileNotFoundError, NotADirectoryError):
        inside = _in_container(folder)
        if inside is None:
            raise
        return inside


def _scanned_once(folder: Path) -> list[Entry]:
    with os.scandir(folder) as scanned:
        return list(scanned)


def _in_container(folder: Path) -> list[Entry] | None:
    below = folders_in(folder)
    if below is None:
        return None
    return [
        *(_InContainer(name, None) for name in below),
        *(_InContainer(name, size) for name, size in files_in(folder)),
    ]


def folder_exists(path: Path) -> bool:
    """Whether a path is a folder, also one in a container.

    Raises:
        DataError: the container is damaged.
    """
    return path.is_dir() or holds_folder(path)


def file_exists(path: Path) -> bool:
    """Whether a path is a file, also one in a container whose folders have been listed."""
    return path.is_file() or holds_file(path)


def is_folder(entry: Entry) -> bool:
    """No for a dead link, and for links that lead in a circle."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_dead_link(entry: Entry) -> bool:
    """Whether it leads to nothing, or in a circle."""
    return entry.is_symlink() and not is_folder(entry) and size_of(entry) is None


def size_of(entry: Entry) -> int | None:
    """Bytes of a file, and of the one that a link leads to; None for everything else.

    Raises:
        DiskError: its disk does not answer.
    """

    def look() -> int | None:
        return entry.stat().st_size if entry.is_file() else None

    try:
        return look()
    except OSError as error:
        return patiently(look, Path(entry.name)) if error.errno in PASSING else None


def files(folder: Path, suffixes: frozenset[str]) -> tuple[tuple[str, int], ...]:
    """(name, size) of the files of these suffixes (any case), by name; others are named once.

    Args:
        folder: of pictures or clips.
        suffixes: with the dot, lower case.

    Raises:
        DataError: the folder cannot be read.
    """
    kept, left_out = [], []
    with entries(folder) as found:
        for entry in found:
            size = size_of(entry)
            if size is not None and _suffix(entry.name) in suffixes:
                kept.append((entry.name, size))
            elif not is_folder(entry):
                left_out.append(printable(entry.name))
    if left_out:
        say_left_out(folder, left_out, suffixes)
    return tuple(sorted(kept))


def say_left_out(folder: Path, names: list[str], suffixes: frozenset[str]) -> None:
    """One line for a folder, however often it is listed."""
    kinds = ", ".join(sorted(suffixes))
    text = f"{folder}: left out: {min(names)}, which is none of {kinds}, or a dead link"
    if len(names) > 1:
        text = (
            f"{folder}: left out: {len(names)} files, such as {min(names)}, that are none of "
            f"{kinds}, or dead links"
        )
    _say_once(text)


def say_dead_links(folder: Path, names: list[str]) -> None:
    """One line for a folder, however often it is listed."""
    n = len(names)
    _say_once(
        f"{folder}: left out: {n} dead link{'' if n == 1 else 's'}, such as "
        f"{printable(min(names))}: mend or remove {'it' if n == 1 else 'them'}"
    )


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        log.warning("%s", text)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
