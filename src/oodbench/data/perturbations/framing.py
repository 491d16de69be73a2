"""The central square that every frame shows."""

import numpy as np

from oodbench.data.corruptions.pixels import Picture

SIDE = 224
"""Pixels of a frame's side."""


def corner(picture: Picture) -> tuple[int, int]:
    """Row and column of the central square's first pixel; halves go to even, as in torchvision."""
    return round((picture.shape[0] - SIDE) / 2), round((picture.shape[1] - SIDE) / 2)


def centre(picture: Picture) -> Picture:
    """The central square `(224, 224, 3)` of a picture at least as large, contiguous."""
    top, left = corner(picture)
    return np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE])
