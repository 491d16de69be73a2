"""A decoded picture on its way to a resize that is computed elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodbench.core.resampling.taps import Taps

LARGEST = 1 << 20
"""Bytes of what is resized elsewhere; larger pictures are few, and take more time to hand over."""

CHANNELS = 3

_INTEGERS = np.dtype(np.int32)


class Layout(NamedTuple):
    """Of an `Unresized` in memory: all that its bytes do not say.

    Attributes:
        height, width: of its pixels.
        rows, columns: of the picture that is made of it.
        row_taps, column_taps: source pixels of each.
    """

    height: int
    width: int
    rows: int
    columns: int
    row_taps: int
    column_taps: int

    @classmethod
    def of(cls, height: int, width: int, rows: Taps, columns: Taps) -> "Layout":
        """Of a picture with so many pixels."""
        counts = (len(rows.first), len(columns.first), rows.weights.shape[1])
        return cls(height, width, *counts, columns.weights.shape[1])

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        integers = self.rows * (1 + self.row_taps) + self.columns * (1 + self.column_taps)
        return integers * _INTEGERS.itemsize + self.height * self.width * CHANNELS


@dataclass(frozen=True)
class Unresized:
    """What a resized picture is made of.

    Attributes:
        pixels: uint8 `(h, w, 3)`, the part of the decoded picture that is needed.
        rows, columns: how the rows, and the columns, of the resized picture are made of it.
    """

    pixels: NDArray[np.uint8]
    rows: Taps
    columns: Taps

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the resized picture, as that of an item's pixels: frames, height, width, channels."""
        return 1, len(self.rows.first), len(self.columns.first), CHANNELS

    @property
    def layout(self) -> Layout:
        """See `Layout`."""
        height, width, _ = self.pixels.shape
        return Layout.of(height, width, self.rows, self.columns)

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        return self.layout.nbytes

    def write(self, memory: NDArray[np.uint8]) -> None:
        """Copy the arrays to memory of at least `nbytes`, at an address that 4 divides."""
        rows, columns = self.rows, self.columns
        arrays = (rows.first, rows.weights, columns.first, columns.weights, self.pixels)
        for place, array in zip(_arrays(memory, self.layout), arrays, strict=True):
            place[...] = array

    @classmethod
    def read(cls, memory: NDArray[np.uint8], layout: Layout) -> "Unresized":
        """Views of what `write` has written."""
        row, row_weights, column, column_weights, pixels = _arrays(memory, layout)
        rows = Taps(0, layout.height, row, row_weights)
        return cls(pixels, rows, Taps(0, layout.width, column, column_weights))


def carved(
    memory: NDArray[np.uint8], arrays: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]
) -> Iterator[NDArray[Any]]:
    """Arrays of these types and shapes, one after the other in memory."""
    start = 0
    for dtype, shape in arrays:
        size = prod(shape) * dtype.itemsize
        yield memory[start : start + size].view(dtype).reshape(shape)
        start += size


def _arrays(memory: NDArray[np.uint8], layout: Layout) -> Iterator[NDArray[Any]]:
    rows, columns = layout.rows, layout.columns
    integers = (
        *((rows,), (rows, layout.row_taps)),
        *((columns,), (columns, layout.column_taps)),
    )
    pixels = (np.dtype(np.uint8), (layout.height, layout.width, CHANNELS))
    return carved(memory, [*((_INTEGERS, shape) for shape in integers), pixels])
