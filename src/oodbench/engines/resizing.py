"""Pillow's resize, computed where the network is: the same pixels, since they are made of integers.

Pillow resizes first the rows and then the columns of a picture, and rounds to whole grey levels in
between. So does this, for a whole batch of pictures of any sizes at once.
"""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodbench.core.resampling.packed import Packed
from oodbench.core.resampling.taps import BITS

AT_ONCE = 1 << 25
"""Values that are computed at once; each takes about 14 bytes meanwhile."""

Pixels = NDArray[np.uint8] | Packed
"""Of a batch, `(N, H, W, 3)`; those that are packed have still to be resized to that."""

_Tensors = Mapping[str, Tensor]
"""The arrays of `Packed` on a device, or some of its pictures."""


class Copied:
    """A batch on a device."""

    def __init__(self, batch: Pixels, device: torch.device) -> None:
        """Begin to copy; a CUDA device is not waited for where the arrays lie in pinned memory."""
        self._batch = batch
        arrays = {"pixels": batch} if isinstance(batch, np.ndarray) else arrays_of(batch)
        self._tensors = {
            name: torch.from_numpy(array).to(device, non_blocking=device.type == "cuda")
            for name, array in arrays.items()
        }

    def used_on(self, stream: torch.cuda.Stream) -> None:
        """Keep the copies until that stream, which did not make them, is done with them."""
        for tensor in self._tensors.values():
            tensor.record_stream(stream)

    def pixels(self) -> Tensor:
        """uint8 `(N, H, W, 3)`, resized if they have to be."""
        if isinstance(self._batch, np.ndarray):
            return self._tensors["pixels"]
        return _resized(self._tensors, self._batch)


def arrays_of(batch: Packed) -> dict[str, NDArray[np.generic]]:
    """Its arrays by their names."""
    return {field.name: getattr(batch, field.name) for field in fields(batch)}


def pixels_of(batch: Pixels) -> NDArray[np.uint8]:
    """uint8 `(N, H, W, 3)`, resized on the CPU if they have to be."""
    if isinstance(batch, np.ndarray):
        return batch
    return Copied(batch, torch.device("cpu")).pixels().numpy()


def _resized(tensors: _Tensors, batch: Packed) -> Tensor:
    """In parts, so that it takes little memory whatever the batch."""
    found = tensors["pixels"].new_empty(batch.shape)
    together = max(1, AT_ONCE // (int(batch.heights.max()) * batch.shape[2] * batch.shape[3]))
    for start in range(0, len(batch), together):
        part = slice(start, start + together)
        some = {name: tensor[part] for name, tensor in tensors.items() if name != "pixels"}
        lines = _across(tensors["pixels"], some, int(batch.heights[part].max()))
        found[part] = _down(lines, some).view_as(found[part])
    return found


def _across(pixels: Tensor, some: _Tensors, rows: int) -> Tensor:
    """All rows resized, uint8 `(n, rows, W * 3)`; of a picture with fewer, the last is repeated."""
    weights = some["column_weights"]
    row = torch.arange(rows, device=pixels.device)
    row = torch.minimum(row, some["heights"][:, None] - 1)
    begins = some["starts"][:, None] + row * some["widths"][:, None]
    first = begins[:, :, None] + some["columns"][:, None, :]
    total = _half((*first.shape, pixels.shape[1]), pixels.device)
    for tap in range(weights.shape[2]):
        # A tap of no weight may lie behind the last pixel.
        at = (first + tap).clamp_(max=len(pixels) - 1).flatten()
        values = pixels.index_select(0, at).int().view_as(total)
        total.addcmul_(values, weights[:, None, :, tap, None])
    return _grey_levels(total).flatten(2)


def _down(lines: Tensor, some: _Tensors) -> Tensor:
    """The columns of rows `(n, rows, W * 3)` resized, uint8 `(n, H, W * 3)`."""
    count, rows, values = lines.shape
    weights, first = some["row_weights"], some["rows"].long()
    begins = torch.arange(0, count * rows, rows, device=lines.device)[:, None]
    total = _half((*first.shape, values), lines.device)
    for tap in range(weights.shape[2]):
        at = (begins + (first + tap).clamp_(max=rows - 1)).flatten()
        line = lines.view(-1, values).index_select(0, at).int().view_as(total)
        total.addcmul_(line, weights[:, :, tap, None])
    return _grey_levels(total)


def _half(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Half a grey level, so that what is rounded down is rounded to the nearest."""
    return torch.full(shape, 1 << (BITS - 1), dtype=torch.int32, device=device)


def _grey_levels(total: Tensor) -> Tensor:
    """uint8, of sums of weighted ones."""
    return (total >> BITS).clamp_(0, 255).to(torch.uint8)
