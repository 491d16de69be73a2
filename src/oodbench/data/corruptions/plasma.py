"""A plasma fractal by the diamond-square algorithm: the thickness of fog."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Heights = NDArray[np.float64]


def plasma(rng: Generator, size: int, decay: float) -> Heights:
    """A random height map that wraps around, from exactly 0 to exactly 1.

    Every new height is the mean of four old ones plus `wibble` times a uniform draw between
    -`wibble` and `wibble`. `wibble` starts at 100 and is divided by `decay` when the distance of
    the heights is halved.

    Args:
        rng: draws for the squares, then for both kinds of diamonds, from wide to narrow.
        size: side of the map, a power of two from 2 up.
        decay: 1 is rough at every scale, more is smoother.

    Returns:
        float64 `(size, size)`.
    """
    heights = np.zeros((size, size))
    wibble = 100.0
    distance = size
    while distance >= 2:
        half = distance // 2
        corners = heights[::distance, ::distance]
        centres = heights[half::distance, half::distance]
        pairs = corners + _next(corners, 0)
        centres[:] = _new(pairs + _next(pairs, 1), rng, wibble)
        edges = centres + _previous(centres, 0) + corners + _next(corners, 1)
        heights[::distance, half::distance] = _new(edges, rng, wibble)
        edges = centres + _previous(centres, 1) + corners + _next(corners, 0)
        heights[half::distance, ::distance] = _new(edges, rng, wibble)
        distance = half
        wibble /= decay
    heights -= heights.min()
    heights /= heights.max()
    return heights


def _new(sums: Heights, rng: Generator, wibble: float) -> Heights:
    heights = rng.uniform(-wibble, wibble, sums.shape)
    heights *= wibble
    sums /= 4
    heights += sums
    return heights


def _next(values: Heights, axis: int) -> Heights:
    return np.roll(values, -1, axis)


def _previous(values: Heights, axis: int) -> Heights:
    return np.roll(values, 1, axis)
