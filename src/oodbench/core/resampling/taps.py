"""Which pixels of a row or column, with which weights, make each pixel of a resized one.

The arithmetic is that of Pillow's `Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`): the
weights are integers, so that what is computed with them is the same everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BITS = 22
"""Weights are multiples of 2^-22: with a pixel's 8 bits and two more for overshoot, 32."""

_A = -0.5
"""Of the bicubic filter."""

_KNOWN = 8192
"""Taps that are remembered: a data set has few sizes of the shorter side, and many of the other."""


@dataclass(frozen=True)
class Taps:
    """Of `n` pixels side by side, `k` at most for each.

    Attributes:
        start, stop: the source pixels that are needed, from `start` up to `stop`.
        first: int32 `(n,)`, where each begins, counted from `start`.
        weights: int32 `(n, k)` in 2^-22, 0 where a pixel needs fewer than `k`.
    """

    start: int
    stop: int
    first: NDArray[np.int32]
    weights: NDArray[np.int32]


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    return np.where(x < 1.0, 1.0 - x, 0.0)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    inner = ((_A + 2.0) * x - (_A + 3.0)) * x * x + 1
    outer = (((x - 5) * x + 8) * x - 4) * _A
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


_FILTERS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}
"""Each with its support. Lanczos needs a sine, whose last bit differs from library to library."""

FILTERS = frozenset(_FILTERS)


@lru_cache(_KNOWN)
def taps(size: int, resized: int, interpolation: str, start: int, stop: int) -> Taps:
    """Of the pixels from `start` up to `stop` of a side that is resized.

    Args:
        size: pixels of the side before.
        resized: pixels of the whole side after.
        interpolation: of `FILTERS`.
        start, stop: within `resized`.
    """
    if size == resized:  # Pillow then leaves the side as it is
        return whole(size, start, stop)
    places = np.arange(start, stop)
    shape, support = _FILTERS[interpolation]
    scale = size / resized
    stretch = max(scale, 1.0)
    centre = (places + 0.5) * scale
    first = np.maximum((centre - support * stretch + 0.5).astype(np.int64), 0)
    after = np.minimum((centre + support * stretch + 0.5).astype(np.int64), size)
    found = np.zeros((len(places), int((after - first).max())))
    total = np.zeros(len(places))
    for tap in range(found.shape[1]):  # in Pillow's order: a sum depends on it in the last bit
        inside = tap < after - first
        weight = shape((tap + first - centre + 0.5) * (1.0 / stretch))
        found[:, tap] = np.where(inside, weight, 0.0)
        total += found[:, tap]
    found /= np.where(total == 0.0, 1.0, total)[:, None]
    rounded = np.trunc(found * (1 << BITS) + np.where(found < 0, -0.5, 0.5))
    return _made(first, rounded.astype(np.int32), after)


@lru_cache(_KNOWN)
def whole(size: int, start: int = 0, stop: int | None = None) -> Taps:
    """Of a side that keeps its size: each pixel is its own.

    Args:
        size: pixels of the side.
        start, stop: of the part that is kept; by default all of it.
    """
    places = np.arange(start, size if stop is None else stop)
    return _made(places, np.full((len(places), 1), 1 << BITS, np.int32), places + 1)


def _made(first: NDArray[np.int64], weights: NDArray[np.int32], after: NDArray[np.int64]) -> Taps:
    start, stop = int(first.min()), int(after.max())
    counted = (first - start).astype(np.int32)
    for array in (counted, weights):  # they are remembered, and shared
        array.flags.writeable = False
    return Taps(start, stop, counted, weights)
