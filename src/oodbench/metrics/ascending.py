"""Pictures by ascending confidence, and resamples of them that stay so."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.intervals import Interval, bootstrap_together

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], float]
"""Confidence and correctness by ascending confidence, float64 `(n,)` each -> a value."""


def refuse_other_lengths(first: NDArray[Any], second: NDArray[Any]) -> None:
    """Refuse two arrays that are not of one length.

    Raises:
        ValueError: they are empty or differ in length.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(
            f"expected two arrays of one length n >= 1, found {first.shape}, {second.shape}"
        )


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
    refuse_other_lengths(confidence, correct)
    order = np.argsort(confidence, kind="stable")
    return confidence[order].astype(np.float64), correct[order].astype(np.float64)


def bootstrap_ascending(
    statistics: Sequence[Statistic], confidence: Floats, correct: Floats
) -> list[Interval]:
    """Percentile bootstrap intervals, see `oodbench.metrics.intervals.bootstrap`.

    Args:
        statistics: of the pictures.
        confidence, correct: as `ascending` gives them.

    Returns:
        One of each statistic, of the same resamples.
    """

    def resampled(draw: NDArray[np.int64]) -> Floats:
        # Sorted positions of sorted arrays are a sorted resample, several times cheaper to get.
        order = np.sort(draw)
        drawn = confidence[order], correct[order]
        return np.array([statistic(*drawn) for statistic in statistics])

    return bootstrap_together(resampled, len(confidence))
