"""A forward pass by PyTorch: in threads on the CPU, one batch after the other elsewhere."""

import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.engines.base import Pending
from oodbench.engines.pytorch import autocast, device_of, images_of, set_precision
from oodbench.engines.resizing import Pixels
from oodbench.models.folded.networks import FoldedNetworks

_THREADS_A_BATCH = 2
"""PyTorch computes a 1 x 1 convolution of a small batch another way, and slower, on one thread."""

_STREAMS = 2
"""On two cores, two batches at once fill each other's gaps (measured: a tenth more pictures a
second than one)."""

_QUEUED = 2
"""Batches that keep an accelerator other than CUDA busy: one that it computes, one that waits."""

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of malloc.h
_LARGEST = 2**31 - 1


class TorchForward:
    """A `Forward` of `oodbench.engines.base`; BatchNorm folded into convolutions, channels last.

    Logits of float images are those of the classifier itself, with nothing folded.
    """

    note = ""
    resizes = True

    def __init__(
        self,
        name: str,
        classifier: nn.Module,
        example: NDArray[np.uint8],
        *,
        precision: str,
        compiled: Callable[[nn.Module], nn.Module] | None = None,
    ) -> None:
        """Make the forward pass; what is only for pixels is made when the first ones come.

        Args:
            name: of the engine.
            classifier: on the device, in eval mode.
            example: pixels `(n, H, W, 3)` on which folding is checked.
            precision: fp32, tf32, bf16 or fp16.
            compiled: what else is done to the folded network.

        Raises:
            ConfigError: the device has no such precision.
        """
        self.name = name
        self._classifier = classifier
        self._example = example
        self._precision = precision
        self._compiled = compiled
        self._device = device_of(classifier)
        set_precision(precision, self._device.type)
        self._pool: ThreadPoolExecutor | None = None
        self.depth = _QUEUED
        if self._device.type == "cpu":
            keep_freed_memory()
            streams = 1 if compiled else _streams(torch.get_num_threads())
            self._pool = ThreadPoolExecutor(streams, initializer=_share if streams > 1 else None)
            self.depth = streams + 1
        else:
            classifier.to(memory_format=torch.channels_last)

    def start(self, pixels: Pixels) -> Pending:
        """See `oodbench.engines.base.Forward`."""
        network = self._network
        if self._pool is None:
            return _OnDevice(self._forward(network, self._images(pixels)))
        return self._pool.submit(lambda: self._forward(network, self._images(pixels)).numpy())

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        """See `oodbench.engines.base.Forward`."""
        layout = torch.contiguous_format if self._pool else torch.channels_last
        images = images.contiguous(memory_format=layout)
        return self._forward(self._classifier, images).cpu().numpy()

    @cached_property
    def _network(self) -> nn.Module:
        network = FoldedNetworks().of(self._classifier, self._images(self._example))
        if self._pool is None:
            network.to(memory_format=torch.channels_last)
        return self._compiled(network) if self._compiled else network

    def _images(self, pixels: Pixels) -> Tensor:
        return images_of(pixels, self._device)

    def _forward(self, network: nn.Module, images: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(self._precision, images.device.type):
            logits: Tensor = network(images)
        return logits.float()


def _streams(threads: int) -> int:
    """How many batches at once for this number of threads."""
    return 1 if threads == 1 else max(_STREAMS, threads // _THREADS_A_BATCH)


def _share() -> None:
    """Limit PyTorch's threads in the thread that calls this: the number is per thread."""
    torch.set_num_threads(_THREADS_A_BATCH)


class _OnDevice:
    """Logits that an accelerator is computing."""

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits

    def result(self) -> NDArray[np.float32]:
        """Wait for the device, and copy the logits from it."""
        return self._logits.cpu().numpy()


def keep_freed_memory() -> None:
    """Have glibc hold on to freed memory, for the rest of the process; elsewhere nothing happens.

    By default it gives large blocks back to the kernel, which hands them out again page by page,
    zeroed: up to half of a forward pass on the CPU is spent there, the more the larger the batch.
    One arena for all threads keeps what is held small.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_ARENA_MAX, 1)):
        mallopt(option, value)
