"""Batches of pictures that have still to be resized, and what Pillow makes of them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.resampling.packed import Packed, new_memory, packed
from oodbench.core.resampling.unresized import Unresized
from oodbench.preprocessing import Preprocessing

KINDS: list[dict[str, Any]] = [
    {"resize": 40, "crop": 32, "interpolation": "bilinear"},
    {"resize": 40, "crop": 32, "interpolation": "bicubic"},
    {"resize": 32, "interpolation": "box", "square_crop": True},
    {"resize": [32, 24], "interpolation": "bicubic"},
    {"crop": 30, "resize_after_crop": 32, "interpolation": "bicubic"},
    {"square_crop": True, "resize_after_crop": 32, "interpolation": "bilinear"},
    {"square_crop": True, "resize": 40, "crop": 32, "resize_after_crop": 32},
]


def pictures(count: int) -> Iterator[Image.Image]:
    """Larger and smaller than what they become; flat and in black and white by turns."""
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = random.integers(30, 130, 2).tolist()
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        yield Image.fromarray(
            np.where(pixels > 127, 255, 0).astype(np.uint8) if number % 2 else pixels
        )


def batch_of(
    preprocessing: Preprocessing,
    count: int,
    memory: Callable[[int], NDArray[np.uint8]] = new_memory,
) -> tuple[Packed, NDArray[np.uint8]]:
    """A batch, and its pixels by Pillow."""
    both: list[tuple[Unresized, NDArray[np.uint8]]] = []
    for picture in pictures(count):
        found = preprocessing.unresized(picture)
        if found is not None:
            both.append((found, preprocessing(picture)))
    assert len(both) > count // 2
    return packed([found for found, _ in both], memory), np.stack([pixels for _, pixels in both])
