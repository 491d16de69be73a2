"""Puts the members of an archive or a folder where an arrangement wants them."""

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.archives.arrangements.base import Arrangement
from oodbench.data.archives.members import Member
from oodbench.data.archives.staging import write_file


class How(StrEnum):
    """What becomes of the files of a folder."""

    COPY = "copy"
    LINK = "link"
    MOVE = "move"


def place_all(
    members: Iterator[Member],
    arrangement: Arrangement,
    tree: Path,
    how: How,
    placed: Callable[[Member], None],
) -> int:
    """Write, link or move all members that the arrangement wants.

    Args:
        members: of an archive or a folder.
        arrangement: says where each goes.
        tree: the folder that they go below.
        how: for files that lie in a folder; members of archives are written.
        placed: called after each member that is wanted.

    Returns:
        How many were wanted.

    Raises:
        DataError: two members have one place, also on file systems that take upper and lower case
            for the same.
    """
    seen: set[str] = set()
    folders: set[Path] = set()
    for member in members:
        parts = arrangement.place(member.parts)
        if parts is not None:
            name = unicodedata.normalize("NFC", "/".join(parts)).casefold()
            if name in seen:
                raise DataError(
                    f"{'/'.join(member.parts)}: refused: a second file for the place "
                    f"{'/'.join(parts)}; this is not one official archive or folder"
                )
            seen.add(name)
            path = tree.joinpath(*parts)
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
            _put(member, path, how)
            placed(member)
    return len(seen)


def _put(member: Member, path: Path, how: How) -> None:
    if member.path is None or how is How.COPY:
        write_file(path, member.read())
    elif how is How.MOVE:
        _move(member.path, path)
    elif not path.exists() or not path.samefile(member.path):
        path.unlink(missing_ok=True)
        _link(member.path, path)


def _move(source: Path, path: Path) -> None:
    try:
        source.rename(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise DataError(
            f"{source}: on another file system than {path.parent.parent}: use --copy or --link"
        ) from None


def _link(source: Path, path: Path) -> None:
    """A hard link, which survives the original; a symbolic one to another file system."""
    try:
        os.link(source.resolve(), path)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        path.symlink_to(source.resolve())
