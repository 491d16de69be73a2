"""Types of pictures and fields, and the conversion from floats back to bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.opencv import cv2

Picture = NDArray[np.uint8]
"""RGB picture `(H, W, 3)`, 0..255."""
Field = NDArray[np.floating[Any]]
"""Floats `(H, W)` or `(H, W, 3)`."""

BYTE_AS_FRACTION = np.arange(256) / 255.0
"""float64 `(256,)`: the fraction of full intensity that a byte stands for."""


def truncated(values: Field) -> Picture:
    """Bytes of floats on the scale 0..255: clipped, decimals cut off, as the published code does.

    Args:
        values: contiguous; overwritten.
    """
    cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO, dst=values)
    cv2.threshold(values, 255, 255, cv2.THRESH_TRUNC, dst=values)
    return values.astype(np.uint8)


def in_colour(field: Field) -> Field:
    """A field `(H, W)` repeated to `(H, W, 3)`: faster to compute with than broadcasting."""
    repeated: Field = cv2.merge([field] * 3)
    return repeated
