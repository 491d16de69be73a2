"""The network as CUDA graphs: its kernels are launched all at once, not one by one from Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError, one_line
from oodbench.engines.base import Forward
from oodbench.engines.cuda import CudaForward, PixelNetwork, new_stream
from oodbench.engines.pytorch import device_of
from oodbench.models.device_memory import is_out_of_memory

NAME = "cuda_graphs"

WARM_UP = 3
"""Passes before a capture: libraries choose their algorithms and allocate in the first ones."""


class CudaGraphsEngine:
    """The classifier with BatchNorm folded, captured once for each size of batch.

    The same kernels run as in the eager engine. Networks whose kernels are short, and small
    batches, gain most.

    Args:
        precision: fp32, tf32, bf16 or fp16.
    """

    computes_gradients = True

    def __init__(self, *, precision: str = "fp32") -> None:
        self.precision = precision

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: the device is no CUDA device or has no such precision, or the network
                cannot be captured.
        """
        device = device_of(classifier)
        if device.type != "cuda":
            raise ConfigError(
                f"engine={NAME}: needs a CUDA device, this is {device.type}: use engine=auto"
            )
        forward = CudaForward(NAME, classifier, example, precision=self.precision, made=Graphs)
        try:
            forward.start(example).result()
        except Exception as error:  # of any kernel that may not be captured
            if is_out_of_memory(error):
                raise
            raise ConfigError(
                f"engine={NAME}: the network cannot be captured: {one_line(error, 200)}: use "
                "engine=eager"
            ) from error
        return forward


@dataclass(frozen=True)
class Graph:
    """A captured network for batches of one size.

    Attributes:
        pixels: where it reads, uint8 `(n, H, W, 3)`.
        logits: where it writes, float32 `(n, 1000)`; the next replay of any graph may overwrite it.
        replay: computes the second from the first.
    """

    pixels: Tensor
    logits: Tensor
    replay: Callable[[], None]


class Graphs:
    """A `PixelNetwork` that replays graphs of another one; a batch fills the smallest that fits.

    Sizes are powers of two below the largest batch, so that there are few of them.
    """

    def __init__(self, network: PixelNetwork) -> None:
        self._network = network
        self._known: dict[tuple[int, ...], Graph] = {}
        self._capture = Capture()

    def __call__(self, pixels: Tensor) -> Tensor:
        """Logits of pixels uint8 `(N, H, W, 3)`."""
        count = len(pixels)
        shape = (self._size(count), *pixels.shape[1:])
        if shape not in self._known:
            self._known[shape] = self._capture(self._network, pixels.new_zeros(shape))
        graph = self._known[shape]
        graph.pixels[:count].copy_(pixels)
        graph.replay()
        return graph.logits[:count].clone()

    def _size(self, count: int) -> int:
        largest = max((shape[0] for shape in self._known), default=0)
        if count > largest:
            return count
        return min(largest, 1 << (count - 1).bit_length())


class Capture:
    """Makes graphs that share their memory: one is replayed after the other, on one stream."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, network: PixelNetwork, pixels: Tensor) -> Graph:
        """A graph of the network.

        Args:
            network: from pixels to logits.
            pixels: the graph's own, on the device.
        """
        device = pixels.device
        with torch.cuda.device(device), torch.inference_mode():
            self._warm_up(network, pixels)
            graph = torch.cuda.CUDAGraph()
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            # Other threads may allocate meanwhile: they are none of the graph's business.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                logits = network(pixels)
        return Graph(pixels, logits, graph.replay)

    def _warm_up(self, network: PixelNetwork, pixels: Tensor) -> None:
        here, aside = torch.cuda.current_stream(), new_stream(pixels.device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                network(pixels)
        here.wait_stream(aside)
