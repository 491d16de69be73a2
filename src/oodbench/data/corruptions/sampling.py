"""Bilinear samples of a picture at arbitrary positions."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.pixels import in_colour

Pixels = NDArray[np.float32]

_STRIP = 32
"""Rows sampled at a time: their arrays stay in the processor's cache."""


def sampled(picture: Pixels, y: Pixels, x: Pixels, mirror: Literal["pixels", "edges"]) -> Pixels:
    """Bilinear samples, the picture mirrored again and again beyond its borders.

    Exact to float32. OpenCV's own warps round places to 1/32 of a pixel before version 5.

    Args:
        picture: float32 `(H, W, 3)`.
        y: float32 `(h, w)`, rows counted from the middle of the uppermost pixel.
        x: float32 `(h, w)`, columns likewise.
        mirror: pixels: … c b a b c …, OpenCV's REFLECT_101; edges: … b a a b …, scipy's reflect.

    Returns:
        float32 `(h, w, 3)`.
    """
    made = np.empty((*y.shape, 3), np.float32)
    for top in range(0, len(y), _STRIP):
        strip = slice(top, top + _STRIP)
        made[strip] = _strip(picture, y[strip], x[strip], mirror)
    return made


def _strip(picture: Pixels, y: Pixels, x: Pixels, mirror: Literal["pixels", "edges"]) -> Pixels:
    height, width = picture.shape[:2]
    flat = picture.reshape(-1, 3)
    upper, left = np.floor(y), np.floor(x)
    rows, columns = upper.astype(np.int32), left.astype(np.int32)
    down, right = in_colour(y - upper), in_colour(x - left)
    above = _mirrored(rows, height, mirror) * width
    below = _mirrored(rows + 1, height, mirror) * width
    first = _mirrored(columns, width, mirror)
    second = _mirrored(columns + 1, width, mirror)
    return _between(
        _between(np.take(flat, above + first, 0), np.take(flat, above + second, 0), right),
        _between(np.take(flat, below + first, 0), np.take(flat, below + second, 0), right),
        down,
    )


def _between(start: Pixels, end: Pixels, weight: Pixels) -> Pixels:
    end -= start
    end *= weight
    end += start
    return end


def _mirrored(
    places: NDArray[np.int32], length: int, mirror: Literal["pixels", "edges"]
) -> NDArray[np.int32]:
    if places.min() >= 0 and places.max() < length:
        return places
    period = max(2 * length - 2, 1) if mirror == "pixels" else 2 * length
    wrapped = np.mod(places, period)
    back = period - wrapped if mirror == "pixels" else period - 1 - wrapped
    mirrored: NDArray[np.int32] = np.minimum(wrapped, back)
    return mirrored
