"""The pictures that a benchmark works on: the first of every class, then the second, and so on."""

from pathlib import Path

from oodbench.data.listing import PICTURE_SUFFIXES, list_folders, round_robin


def first_pictures(folder: Path, count: int) -> list[Path]:
    """Files of a folder of class folders, at most `count`."""
    items = round_robin(list_folders(folder, PICTURE_SUFFIXES))
    return [folder / item.folder / item.name for item in items[:count]]
