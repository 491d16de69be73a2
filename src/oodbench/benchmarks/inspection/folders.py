"""What lies in the folders of a split beside its pictures, and files that hold nothing."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from oodbench.benchmarks.inspection.finding import Problem
from oodbench.benchmarks.inspection.mending import Mending
from oodbench.benchmarks.inspection.wording import counted, listed
from oodbench.data.entries import OF_SYSTEMS, OWN, is_dead_link
from oodbench.data.listing import CLIP_SUFFIXES, PICTURE_SUFFIXES

_MOST_NAMED = 4


def folder_problems(root: Path, images: Iterable[str], mend: Mending) -> Iterator[Problem]:
    """Empty files, files beside the pictures that are none, and pictures beside class folders.

    One file under several names, by links, is told too: it stands in for others.

    Args:
        root: of the split.
        images: of its items, paths below it.
        mend: how to get files again.
    """
    known = set(images)
    folders = sorted({image.rpartition("/")[0] for image in known})
    empty, strangers = [], []
    by_file: dict[tuple[int, int], list[str]] = {}
    for folder in folders:
        for name, entry in _entries(root, folder):
            if name in known:
                status = entry.stat()
                empty += [name] if status.st_size == 0 else []
                by_file.setdefault((status.st_dev, status.st_ino), []).append(name)
            elif folder and (not _belongs(entry.name) or is_dead_link(entry)):
                strangers.append(name)
    above = sorted({folder.rpartition("/")[0] for folder in folders if folder})
    lost = [
        name
        for folder in above
        for name, entry in _entries(root, folder)
        if name not in known and _is_picture(entry.name)
    ]
    linked = [sorted(names) for names in by_file.values() if len(names) > 1]
    if empty:
        said = f"{counted(len(empty), 'file')} of 0 bytes: {_named(empty)}"
        yield Problem(str(root), said, mend.anew)
    if linked:
        named = _named([" = ".join(names) for names in linked])
        said = f"{counted(len(linked), 'file')} under several names, by links: {named}"
        yield Problem(str(root), said, mend.anew)
    if lost:
        said = f"{counted(len(lost), 'picture')} beside the class folders, in none: {_named(lost)}"
        yield Problem(str(root), said, mend.sort)
    if strangers:
        said = f"{counted(len(strangers), 'file')} that no benchmark reads: {_named(strangers)}"
        yield Problem(str(root), said, removal(root, strangers))


def removal(root: Path, names: Sequence[str]) -> str:
    """The command that removes files that do not belong to the data set: these paths, no others.

    Args:
        root: of the split.
        names: of files below it.
    """
    if len(names) > _MOST_NAMED:
        return "remove what does not belong to the data set"
    return f"rm -- {' '.join(shlex.quote(str(root / name)) for name in sorted(names))}"


def _entries(root: Path, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Name below root and entry of all that lies in a folder; nothing where it is none."""
    place = root / folder
    if not place.is_dir():
        return  # items that are not files themselves
    with os.scandir(place) as found:
        for entry in found:
            yield f"{folder}/{entry.name}" if folder else entry.name, entry


def _is_picture(name: str) -> bool:
    """Or a clip, by its name."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - called for every file
    return suffix in PICTURE_SUFFIXES | CLIP_SUFFIXES and not name.startswith(".")


def _belongs(name: str) -> bool:
    """Whether it may lie in a class folder."""
    return _is_picture(name) or name in OWN | OF_SYSTEMS


def _named(names: Sequence[str]) -> str:
    return listed(sorted(names))
