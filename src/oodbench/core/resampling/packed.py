"""A batch of unresized pictures in one piece of memory, for one copy to whatever resizes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.core.resampling.taps import Taps, whole
from oodbench.core.resampling.unresized import CHANNELS, Unresized, carved

_LONG = np.dtype(np.int64)
_INTEGER = np.dtype(np.int32)


@dataclass(frozen=True)
class Packed:
    """N pictures that become `(H, W)` pixels each; a slice of it is a smaller batch.

    Attributes:
        starts: int64 `(N,)`, the first pixel of each.
        heights, widths: int64 `(N,)`, of each before.
        rows: int32 `(N, H)`, the first source row of each row.
        row_weights: int32 `(N, H, k)`, in 2^-22.
        columns: int32 `(N, W)`.
        column_weights: int32 `(N, W, l)`.
        pixels: uint8 `(P, 3)`, those of all pictures, row by row.
    """

    starts: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    rows: NDArray[np.int32]
    row_weights: NDArray[np.int32]
    columns: NDArray[np.int32]
    column_weights: NDArray[np.int32]
    pixels: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the batch once it is resized: `(N, H, W, 3)`."""
        return len(self.starts), self.rows.shape[1], self.columns.shape[1], CHANNELS

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, part: slice) -> "Packed":
        """Some pictures that follow one another, with their own pixels alone."""
        of_each: dict[str, Any] = {
            field.name: getattr(self, field.name)[part] for field in fields(self)
        }
        starts = of_each["starts"]
        begin = int(starts[0]) if len(starts) else 0
        end = begin + int((of_each["heights"] * of_each["widths"]).sum())
        return Packed(**of_each | {"starts": starts - begin, "pixels": self.pixels[begin:end]})


def new_memory(count: int) -> NDArray[np.uint8]:
    """So many bytes of the usual kind."""
    return np.empty(count, np.uint8)


def packed(
    pictures: Sequence[Unresized], memory: Callable[[int], NDArray[np.uint8]] = new_memory
) -> Packed:
    """Copies of at least one picture; all of them become pictures of the same size.

    Args:
        pictures: to be packed.
        memory: gives so many bytes, at an address that 8 divides.
    """
    layouts = [picture.layout for picture in pictures]
    count, rows, columns = len(layouts), layouts[0].rows, layouts[0].columns
    sizes = [layout.height * layout.width for layout in layouts]
    arrays: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] = (
        (_LONG, (count,)),
        (_LONG, (count,)),
        (_LONG, (count,)),
        (_INTEGER, (count, rows)),
        (_INTEGER, (count, rows, max(layout.row_taps for layout in layouts))),
        (_INTEGER, (count, columns)),
        (_INTEGER, (count, columns, max(layout.column_taps for layout in layouts))),
        (np.dtype(np.uint8), (sum(sizes), CHANNELS)),
    )
    nbytes = sum(dtype.itemsize * prod(shape) for dtype, shape in arrays)
    found = Packed(*carved(memory(nbytes), arrays))
    found.starts[:] = np.cumsum([0, *sizes[:-1]])
    found.heights[:] = [layout.height for layout in layouts]
    found.widths[:] = [layout.width for layout in layouts]
    for place, picture in enumerate(pictures):
        _put(picture.rows, found.rows[place], found.row_weights[place])
        _put(picture.columns, found.columns[place], found.column_weights[place])
        start = int(found.starts[place])
        found.pixels[start : start + sizes[place]] = picture.pixels.reshape(-1, CHANNELS)
    return found


def _put(taps: Taps, first: NDArray[np.int32], weights: NDArray[np.int32]) -> None:
    count = taps.weights.shape[1]
    first[:] = taps.first
    weights[:, :count] = taps.weights
    weights[:, count:] = 0


def resized_already(pixels: NDArray[np.uint8]) -> Unresized:
    """A finished picture, uint8 `(H, W, 3)`, beside those that are not: each pixel is its own."""
    height, width, _ = pixels.shape
    return Unresized(pixels, whole(height), whole(width))
