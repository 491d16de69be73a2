"""What lies in the folders of a split beside its pictures, and files that hold nothing."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from oodbench.benchmarks.inspection.finding import Problem
from oodbench.benchmarks.inspection.wording import counted, listed
from oodbench.data.entries import OF_SYSTEMS, OWN, is_dead_link
from oodbench.data.listing import CLIP_SUFFIXES, PICTURE_SUFFIXES

_MOST_NAMED = 4


def folder_problems(root: Path, images: Iterable[str], mend: str) -> Iterator[Problem]:
    """Empty files, files beside the pictures that are none, and pictures beside class folders.

    Args:
        root: of the split.
        images: of its items, paths below it.
        mend: how to get files again.
    """
    known = set(images)
    folders = sorted({image.rpartition("/")[0] for image in known})
    empty, strangers = [], []
    for folder in folders:
        for name, entry in _entries(root, folder):
            if name in known:
                empty += [name] if entry.stat().st_size == 0 else []
            elif folder and (not _belongs(entry.name) or is_dead_link(entry)):
                strangers.append(name)
    above = sorted({folder.rpartition("/")[0] for folder in folders if folder})
    lost = [
        name
        for folder in above
        for name, entry in _entries(root, folder)
        if name not in known and _is_picture(entry.name)
    ]
    if empty:
        yield Problem(str(root), f"{counted(len(empty), 'file')} of 0 bytes: {_named(empty)}", mend)
    if lost:
        said = f"{counted(len(lost), 'picture')} beside the class folders, in none: {_named(lost)}"
        yield Problem(str(root), said, mend)
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
