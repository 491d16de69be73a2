"""What lies in a folder of a data set: files of the wanted kind, folders, and what is neither."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oodbench.core.errors import DataError, printable
from oodbench.data.manifest import CHECKSUMS, DEMO_MARK

log = logging.getLogger(__name__)

OF_SYSTEMS = frozenset({"lost+found", "@eaDir", "__MACOSX", "System Volume Information"})
"""Folders that file systems, network stores and archives leave beside the data."""

OWN = frozenset({DEMO_MARK, CHECKSUMS})
"""Files that `oodbench-data` leaves beside the pictures that it makes."""

_said: set[str] = set()


@contextmanager
def entries(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Of a folder, without the hidden ones, those of systems and our own notes.

    Raises:
        DataError: it cannot be read.
        FileNotFoundError, NotADirectoryError: it is no folder.
    """
    try:
        with os.scandir(folder) as found:
            yield (
                entry
                for entry in found
                if not entry.name.startswith((".", "$")) and entry.name not in OF_SYSTEMS | OWN
            )
    except PermissionError as error:
        raise DataError(f"{error.filename or folder}: may not be read: change its mode") from None


def is_folder(entry: os.DirEntry[str]) -> bool:
    """No for a dead link, and for links that lead in a circle."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_dead_link(entry: os.DirEntry[str]) -> bool:
    """Whether it leads to nothing, or in a circle."""
    return entry.is_symlink() and not is_folder(entry) and size_of(entry) is None


def size_of(entry: os.DirEntry[str]) -> int | None:
    """Bytes of a file, and of the one that a link leads to; None for everything else."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except OSError:
        return None


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
