"""A CUDA device that is none: streams and events that do nothing, memory that is not pinned.

With it the code for CUDA runs on the CPU, one thing after the other, as on a device that is never
behind. What really overlaps is tested in tests/gpu.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from oodbench.engines import cuda_graphs
from oodbench.engines.cuda import PixelNetwork
from oodbench.engines.cuda_graphs import Graph


class Stream:
    """Work is done at once, so that there is nothing to wait for."""

    def __init__(self, device: object = None) -> None:
        self.waited: list[object] = []

    def wait_stream(self, other: object) -> None:
        self.waited.append(other)


class Event:
    def __init__(self, **_: object) -> None:
        self.recorded = False

    def record(self, stream: object) -> None:
        self.recorded = True

    def synchronize(self) -> None:
        assert self.recorded


class Capture:
    """Graphs that compute again whatever they are asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, network: PixelNetwork, pixels: Tensor) -> Graph:
        self.sizes.append(len(pixels))
        logits = network(pixels)

        def replay() -> None:
            with torch.inference_mode():
                logits.copy_(network(pixels))

        return Graph(pixels, logits, replay)


@contextmanager
def on_stream(stream: object) -> Iterator[None]:
    yield


def unpinned(empty: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`torch.empty` where no memory can be pinned."""

    def made(*size: Any, pin_memory: bool = False, **more: Any) -> Tensor:
        return empty(*size, **more)

    return made


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch's functions for CUDA be those above."""
    here = Stream()
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "stream", on_stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: here)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr(torch, "empty", unpinned(torch.empty))
    monkeypatch.setattr(cuda_graphs, "Capture", Capture)
