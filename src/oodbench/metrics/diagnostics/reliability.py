"""Accuracy by confidence: the numbers of a reliability diagram (Guo et al. 2017)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.confidence import N_BINS, bins_by_width


@dataclass(frozen=True)
class Reliability:
    """Bins of equal width, by ascending confidence.

    Attributes:
        n: pictures in each bin.
        confidence: their mean confidence, in [0, 1]; None where there is none.
        correct: how many of them are right.
    """

    n: list[int]
    confidence: list[float | None]
    correct: list[int]

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, a fraction: the bins are those of
        `oodbench.metrics.confidence.expected_calibration_error`."""
        gaps = [
            abs(confidence * n - correct)
            for n, confidence, correct in zip(self.n, self.confidence, self.correct, strict=True)
            if confidence is not None
        ]
        return sum(gaps) / sum(self.n)


def reliability(
    parts: Iterable[tuple[NDArray[np.floating], NDArray[np.bool_]]], n_bins: int = N_BINS
) -> Reliability:
    """The bins of pictures that come in several parts.

    Args:
        parts: confidence in [0, 1] and whether it is right, `(n,)` each.
        n_bins: bin k holds confidences in (k / n_bins, (k + 1) / n_bins], the first one 0 too.
    """
    n, confident, right = (np.zeros(n_bins) for _ in range(3))
    for confidence, correct in parts:
        exact = confidence.astype(np.float64)
        bins = bins_by_width(exact, n_bins)
        n += np.bincount(bins, minlength=n_bins)
        confident += np.bincount(bins, exact, n_bins)
        right += np.bincount(bins, correct, n_bins)
    pairs = zip(confident.tolist(), n.tolist(), strict=True)
    means = [total / count if count else None for total, count in pairs]
    return Reliability(n.astype(int).tolist(), means, right.astype(int).tolist())
