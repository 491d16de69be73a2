"""A forward pass on a CUDA device: copies, network and results overlap."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.engines.base import Pending
from oodbench.engines.pytorch import (
    autocast,
    device_of,
    images_from,
    images_of,
    set_precision,
)
from oodbench.engines.resizing import Copied, Pixels
from oodbench.models.folded.layout import layout_of
from oodbench.models.folded.networks import FoldedNetworks

QUEUED = 2
"""Batches that keep the device busy: one that it computes, one whose pixels are being copied."""

PixelNetwork = Callable[[Tensor], Tensor]
"""Pixels uint8 `(N, H, W, 3)` on the device -> logits float32 `(N, 1000)`."""


class CudaForward:
    """A `Forward` of `oodbench.engines.base`; BatchNorm folded into convolutions, in the layout of
    `oodbench.models.folded.layout`.

    Pixels go to the device as bytes, on a stream of their own, so that the next batch is copied
    while this one is computed; nothing waits for the device until logits are asked for. Pixels in
    pinned memory (`pinned_memory`) are copied without a detour.

    Logits of float images are those of the classifier itself, with nothing folded.
    """

    note = ""
    depth = QUEUED
    resizes = True

    def __init__(
        self,
        name: str,
        classifier: nn.Module,
        example: NDArray[np.uint8],
        *,
        precision: str,
        made: Callable[[PixelNetwork], PixelNetwork] | None = None,
    ) -> None:
        """Make the forward pass; what is only for pixels is made when the first ones come.

        Args:
            name: of the engine.
            classifier: on the device, in eval mode.
            example: pixels `(n, H, W, 3)` on which folding is checked.
            precision: fp32, tf32, bf16 or fp16.
            made: what is done to the network from pixels to logits.

        Raises:
            ConfigError: the device has no such precision.
        """
        self.name = name
        self._classifier = classifier
        self._example = example
        self._precision = precision
        self._made = made
        self._device = device_of(classifier)
        set_precision(precision, self._device.type)
        self._copies: torch.cuda.Stream = new_stream(self._device)
        self._layout = layout_of(self._device, full_float32=precision == "fp32")
        classifier.to(memory_format=self._layout)

    def start(self, pixels: Pixels) -> Pending:
        """See `oodbench.engines.base.Forward`."""
        network = self._network
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._copies):
            copied = Copied(pixels, self._device)
        computing.wait_stream(self._copies)
        copied.used_on(computing)
        with torch.inference_mode():
            return _Arriving(network(copied.pixels()))

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        """See `oodbench.engines.base.Forward`."""
        images = images.contiguous(memory_format=self._layout)
        with torch.inference_mode(), autocast(self._precision, self._device.type):
            logits: Tensor = self._classifier(images)
        return logits.float().cpu().numpy()

    @cached_property
    def _network(self) -> PixelNetwork:
        example = images_of(self._example, self._device)
        network = FoldedNetworks().of(self._classifier, example, self._layout)
        network.to(memory_format=self._layout)
        whole = _FromPixels(network, self._precision, self._layout)
        return self._made(whole) if self._made else whole


class _FromPixels(nn.Module):
    """Everything from bytes to logits, so that a compiler or a graph sees all of it."""

    def __init__(self, network: nn.Module, precision: str, layout: torch.memory_format) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self.layout = layout

    def forward(self, pixels: Tensor) -> Tensor:
        images = images_from(pixels).contiguous(memory_format=self.layout)
        with autocast(self.precision, pixels.device.type):
            logits: Tensor = self.network(images)
        return logits.float()


class _Arriving:
    """Logits on their way to the host."""

    def __init__(self, logits: Tensor) -> None:
        self._host = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
        self._host.copy_(logits, non_blocking=True)
        event: Any = torch.cuda.Event
        self._arrived = event(blocking=True)  # a core that waits could decode
        self._arrived.record(torch.cuda.current_stream(logits.device))

    def result(self) -> NDArray[np.float32]:
        """Wait until they have arrived."""
        self._arrived.synchronize()
        return self._host.numpy()


def pinned_memory(size: int) -> memoryview:
    """Bytes that the device reads without the processor's help."""
    pinned: Any = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
    return memoryview(pinned)


def new_stream(device: torch.device) -> torch.cuda.Stream:
    """A queue of the device beside the one that PyTorch uses."""
    stream: Any = torch.cuda.Stream
    return stream(device)  # type: ignore[no-any-return]
