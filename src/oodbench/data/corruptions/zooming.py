"""Enlarging about the centre, size kept."""

from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Field


@lru_cache(maxsize=256)
def _taps(length: int, factor: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Lower neighbours of the samples and the upper neighbours' weights `(length, 1)`.

    The crop of ceil(length / factor) pixels is stretched so that its first and last pixel stay
    first and last, and surplus is cut off on both sides. Source: `clipped_zoom` of the published
    code, and scipy.ndimage's `zoom` of order 1, which it calls.
    """
    cropped = ceil(length / factor)
    stretched = round(cropped * factor)
    places = np.arange(stretched) * ((cropped - 1) / max(stretched - 1, 1))
    lower = np.clip(np.floor(places).astype(np.intp), 0, max(cropped - 2, 0))
    weights = places - lower
    first, surplus = (length - cropped) // 2, (stretched - length) // 2
    kept = slice(surplus, surplus + length)
    return first + lower[kept], weights[kept, None]


class _Rows:
    """Rows `(H, n)` of a field, to be sampled at several factors.

    Args:
        values: `(H, n)`.
        scratch: of the same shape and type, overwritten.
    """

    def __init__(self, values: Field, scratch: Field) -> None:
        self._values = values
        self._steps = scratch
        np.subtract(values[1:], values[:-1], out=scratch[:-1])
        scratch[-1] = 0

    def stretched(self, factor: float, out: Field, scratch: Field) -> None:
        """Sampled rows into `out`; both arrays are `(H, n)` and overwritten."""
        lower, weights = _taps(len(self._values), factor)
        np.take(self._steps, lower, axis=0, out=out, mode="clip")
        np.multiply(out, weights.astype(out.dtype), out=out)
        np.take(self._values, lower, axis=0, out=scratch, mode="clip")
        np.add(out, scratch, out=out)


def zoomed(values: Field, factor: float) -> Field:
    """A field `(H, W)` enlarged by `factor` >= 1, bilinear, in its own precision."""
    rows = np.empty_like(values)
    _Rows(values, np.empty_like(values)).stretched(factor, rows, np.empty_like(values))
    columns = np.ascontiguousarray(rows.T)
    made = np.empty_like(columns)
    _Rows(columns, np.empty_like(columns)).stretched(factor, made, np.empty_like(columns))
    return np.ascontiguousarray(made.T)


def sum_of_zooms(values: Field, factors: NDArray[np.float64]) -> Field:
    """Sum of `(H, W, 3)` enlarged by each of the factors >= 1, bilinear.

    The arrays are made once: fresh memory costs more than the sums.
    """
    height, width = values.shape[:2]
    flat = values.reshape(height, width * 3)
    source = _Rows(flat, np.empty_like(flat))
    rows, rows_scratch = np.empty_like(flat), np.empty_like(flat)
    shape = (width, height * 3)
    columns, steps, made, scratch = (np.empty(shape, values.dtype) for _ in range(4))
    total = np.zeros(shape, values.dtype)
    for factor in factors:
        source.stretched(float(factor), rows, rows_scratch)
        cv2.transpose(rows.reshape(height, width, 3), dst=columns.reshape(width, height, 3))
        _Rows(columns, steps).stretched(float(factor), made, scratch)
        np.add(total, made, out=total)
    summed: Field = cv2.transpose(total.reshape(width, height, 3))
    return summed
