"""Pictures by ascending confidence, and resamples of them that stay so."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.intervals import Interval, bootstrap

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], float]
"""Confidence and correctness by ascending confidence, float64 `(n,)` each -> a value."""


def ascending(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Both by ascending confidence, float64; ties stay in the order given.

    Args:
        confidence: `(n,)`, n at least 1.
        correct: bool `(n,)`.

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    if confidence.shape != correct.shape or not len(confidence):
        raise ValueError(
            f"expected two arrays of one length n >= 1, found {confidence.shape}, {correct.shape}"
        )
    order = np.argsort(confidence, kind="stable")
    return confidence[order].astype(np.float64), correct[order].astype(np.float64)


def bootstrap_ascending(statistic: Statistic, confidence: Floats, correct: Floats) -> Interval:
    """Percentile bootstrap interval of a statistic, see `oodbench.metrics.intervals.bootstrap`.

    Args:
        statistic: of the pictures.
        confidence, correct: as `ascending` gives them.
    """

    def resampled(draw: NDArray[np.int64]) -> float:
        # Sorted positions of sorted arrays are a sorted resample, several times cheaper to get.
        order = np.sort(draw)
        return statistic(confidence[order], correct[order])

    return bootstrap(resampled, len(confidence))
