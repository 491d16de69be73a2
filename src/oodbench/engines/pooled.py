"""A forward pass by a library that computes each picture on one thread."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from oodbench.engines.base import Pending

Compute = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pixels `(1, H, W, 3)` -> logits `(1, 1000)`; called in several threads at once."""

WAITING = 1
"""Threads more than pictures are computed at once: the next one waits where no time is lost."""


class PooledForward:
    """A `Forward` of `oodbench.engines.base`: single pictures in a pool of threads.

    One by one is fastest, and a picture's logits then do not depend on the batch it came in.
    """

    note = ""

    def __init__(
        self,
        name: str,
        compute: Compute,
        float_logits: Callable[[Tensor], NDArray[np.float32]],
        *,
        streams: int,
        example: NDArray[np.uint8],
    ) -> None:
        """Compute one picture, in this thread: OpenVINO's bindings deadlock if two are the first.

        They import a module within the first call, under a lock, and give up Python's own lock for
        that to a thread that then waits for theirs.

        Args:
            name: of the engine.
            compute: logits of one picture.
            float_logits: what `logits` gives.
            streams: pictures that are computed at once.
            example: pixels `(n, H, W, 3)`, n ≥ 1.
        """
        compute(example[:1])
        self.name = name
        self.depth = streams + WAITING
        self._compute = compute
        self._float_logits = float_logits
        self._pool = ThreadPoolExecutor(streams + WAITING)

    def start(self, pixels: NDArray[np.uint8]) -> Pending:
        """See `oodbench.engines.base.Forward`."""
        single = (pixels[index : index + 1] for index in range(len(pixels)))
        return _Joined([self._pool.submit(self._compute, picture) for picture in single])

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        """See `oodbench.engines.base.Forward`."""
        return self._float_logits(images)


class _Joined:
    """Logits of the pictures of a batch."""

    def __init__(self, pictures: Sequence[Future[NDArray[np.float32]]]) -> None:
        self._pictures = pictures

    def result(self) -> NDArray[np.float32]:
        """Wait for all pictures of the batch."""
        return np.concatenate([picture.result() for picture in self._pictures])
