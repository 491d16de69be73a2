"""Validation pictures in their real names, in the right class folders or in wrong ones."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from oodbench.reference import imagenet_wnids, validation_labels

N = 60
"""Pictures of a tree."""

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, N + 1)]
REPAIR = "oodbench-data prepare imagenet --from ARCHIVES --to"


def known(position: int) -> int:
    """Class index of a validation picture, by its number less 1."""
    return validation_labels()[position]


def picture(path: Path, size: tuple[int, int] = (32, 32)) -> None:
    """Write a JPEG of one colour; size is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 40)).save(path, "JPEG")


def write_tree(val: Path, label_of: Callable[[int], int] = known, n: int = N) -> None:
    """The first validation pictures, each in the folder of the class that a function gives it."""
    for position, name in enumerate(NAMES[:n]):
        picture(val / imagenet_wnids()[label_of(position)] / name)
