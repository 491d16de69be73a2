"""The pictures of the GPU check: a few real ones, and many names for them.

From the standard library alone, and importable without oodbench.
"""

import os
import shutil
from pathlib import Path

SUFFIXES = (".jpeg", ".jpg")


def in_turn(folder: Path) -> list[Path]:
    """The JPEG files of class folders: one of every class, then the next one of every class."""
    classes = [
        sorted(path for path in found.iterdir() if path.suffix.lower() in SUFFIXES)
        for found in sorted(folder.iterdir())
        if found.is_dir()
    ]
    longest = max(map(len, classes), default=0)
    return [files[turn] for turn in range(longest) for files in classes if turn < len(files)]


def spread(folder: Path, count: int) -> list[Path]:
    """So many pictures of classes from the whole list, as many classes as there are pictures."""
    files = in_turn(folder)
    n_classes = len({file.parent for file in files})
    if count < n_classes:
        return [files[number * n_classes // count] for number in range(count)]
    return files[:count]


def copy_spread(folder: Path, target: Path, count: int) -> None:
    """Copy such pictures, each into the folder of its class.

    Raises:
        SystemExit: there are fewer.
    """
    files = spread(folder, count)
    if len(files) < count:
        raise SystemExit(f"{folder}: {len(files)} JPEG files in class folders; {count} are needed")
    for file in files:
        (target / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.parent.name / file.name)


def repeat(folder: Path, target: Path, names: int) -> None:
    """Link the pictures again and again, until there are so many names.

    Raises:
        SystemExit: there is no picture.
    """
    files = in_turn(folder)
    if not files:
        raise SystemExit(f"{folder}: no JPEG files in class folders")
    for number in range(names):
        turn, place = divmod(number, len(files))
        file = files[place]
        (target / file.parent.name).mkdir(parents=True, exist_ok=True)
        os.link(file, target / file.parent.name / f"{file.stem}_{turn:04d}{file.suffix}")
