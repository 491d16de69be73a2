"""Random starts: drawn where and when a GPU does not wait for them.

The numbers come from the generator of an image, on the CPU, so that they are the same on every
device. They take about a millisecond an image, in which a GPU could have done a step of it: where
the attack computes on one, threads draw for the images that are next.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

_MOST_THREADS = 16

Draw = Callable[[torch.Generator], Tensor]
"""From an image's generator to the offset of its start from the clean image, float `(C, H, W)` on
the CPU, of the images' type."""


class Starts:
    """The offsets of the starts of a batch."""

    def __init__(
        self,
        draw: Draw,
        generators: list[torch.Generator],
        device: torch.device,
        *,
        ahead: bool | None = None,
    ) -> None:
        """Draw nothing yet.

        Args:
            draw: is called in other threads, for one image at a time.
            generators: one per image of the batch.
            device: where the offsets are wanted.
            ahead: draw in other threads; None: on CUDA, where they take no core from the network.
        """
        self._draw = draw
        self._generators = generators
        self._device = device
        self._ahead = device.type == "cuda" if ahead is None else ahead
        self._begun: dict[int, Future[Tensor]] = {}

    def begin(self, positions: Iterable[int]) -> None:
        """Begin to draw for the images at these positions, each of which `take` will ask for."""
        if self._ahead:
            for position in positions:
                if position not in self._begun:
                    self._begun[position] = _threads().submit(self._drawn, position)

    def take(self, positions: list[int]) -> Tensor:
        """The next offset of each of these images, `(k, C, H, W)` on the device."""
        self.begin(positions)
        if not self._ahead:
            return torch.stack([self._drawn(position) for position in positions])
        drawn = (self._begun.pop(position).result() for position in positions)
        return torch.stack([offset.to(self._device, non_blocking=True) for offset in drawn])

    def _drawn(self, position: int) -> Tensor:
        offset = self._draw(self._generators[position])
        # From other memory a copy would wait for the device.
        return offset.pin_memory() if self._device.type == "cuda" else offset


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0))), "starts")
