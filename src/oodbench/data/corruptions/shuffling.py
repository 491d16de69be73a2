"""Glass blur's local shuffle of pixels, without its loop over pixels."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from oodbench.data.corruptions.pixels import Picture


def shuffled(picture: Picture, rng: Generator, max_shift: int, passes: int) -> Picture:
    """Pixels replaced by nearby ones, one after the other.

    The published loop means to swap a pixel with one that lies up to `max_shift` away, but both
    sides of its assignment are views, so that it copies: the pixel takes the other one's value,
    which stays. That form is kept. The loop runs upwards and to the left from
    (H - max_shift, W - max_shift) to (max_shift + 1, max_shift + 1), and a pixel that takes its
    value from one that the loop has passed takes what that one has taken. So for every pixel
    the chain of such steps is followed to the pixel of the picture that it ends in.

    Args:
        picture: uint8 `(H, W, 3)`; where it is not larger than 2 `max_shift`, nothing changes.
        max_shift: shifts are from -`max_shift` to `max_shift` - 1.
        passes: number of loops over the picture.
    """
    height, width = picture.shape[:2]
    origins = np.arange(height * width, dtype=np.int32)
    if min(height, width) > 2 * max_shift:
        for _ in range(passes):
            _shuffle(origins.reshape(height, width), rng, max_shift)
    return np.take(picture.reshape(-1, 3), origins, axis=0).reshape(picture.shape)


@dataclass(frozen=True)
class _Loop:
    """The pixels that the loop visits, in its order.

    Attributes:
        visited: `(n,)`, flat indices.
        turn: `(H * W,)`, position in `visited`, or -1 for a pixel that the loop leaves out.
    """

    visited: NDArray[np.int32]
    turn: NDArray[np.int32]


@lru_cache(maxsize=16)
def _loop(height: int, width: int, max_shift: int) -> _Loop:
    rows = np.arange(height - max_shift, max_shift, -1, dtype=np.int32)
    columns = np.arange(width - max_shift, max_shift, -1, dtype=np.int32)
    visited = (rows[:, None] * width + columns).ravel()
    turn = np.full(height * width, -1, np.int32)
    turn[visited] = np.arange(len(visited))
    return _Loop(visited, turn)


def _shuffle(origins: NDArray[np.int32], rng: Generator, max_shift: int) -> None:
    """One pass over the picture; `origins` `(H, W)`, flat indices, change in place."""
    height, width = origins.shape
    loop = _loop(height, width, max_shift)
    # In the order of the loop: along x, then along y.
    shifts = rng.integers(-max_shift, max_shift, size=(len(loop.visited), 2), dtype=np.int32)
    forward = shifts[:, 1] * width
    forward += shifts[:, 0]
    source = loop.visited + forward
    _follow(source, forward, loop.turn)
    edge = max_shift + 1
    inner = origins[edge : height - max_shift + 1, edge : width - max_shift + 1]
    inner[::-1, ::-1] = np.take(origins, source).reshape(inner.shape)


def _follow(source: NDArray[np.int32], forward: NDArray[np.int32], turn: NDArray[np.int32]) -> None:
    """Replace sources that the loop has passed by what they have taken, in place.

    Args:
        source: `(n,)`, flat index of the pixel that each turn of the loop copies from.
        forward: `(n,)`, how far that lies behind the turn's own pixel, in flat indices: above 0
            where the loop, which runs downwards, has passed it.
        turn: `(H * W,)`, see `_Loop`.
    """
    before = np.full(len(source), -1, np.int32)
    following = np.flatnonzero(forward > 0)
    before[following] = place = np.take(turn, source[following])
    while True:
        following, place = following[place >= 0], place[place >= 0]
        if not len(following):
            return
        source[following] = source[place]
        place = before[place]
