"""How long a forward pass takes, with as many batches in flight as it has use for."""

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from oodbench.engines.base import Forward, Pending

SECONDS = 0.5
"""To measure, after the first batch: long beside the noise, short beside a run."""


def seconds_a_picture(
    forward: Forward, batch: NDArray[np.uint8], *, seconds: float = SECONDS
) -> float:
    """Time of a picture in batches like this one.

    Args:
        forward: that computes.
        batch: pixels `(N, H, W, 3)`.
        seconds: how long to measure; at least one batch.

    Raises:
        RuntimeError: memory runs out.
    """
    forward.start(batch).result()
    in_flight: deque[Pending] = deque()
    started = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - started < seconds:
        while len(in_flight) >= forward.depth:
            in_flight.popleft().result()
        in_flight.append(forward.start(batch))
        done += 1
    while in_flight:
        in_flight.popleft().result()
    return (time.perf_counter() - started) / (done * len(batch))
