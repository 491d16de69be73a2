"""Error among the most confident pictures, by how many of them are kept (Geifman et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.ascending import refuse_other_lengths

POINTS = 100
"""Coverages at which the curve is given, beside that of the most confident pictures alone."""


@dataclass(frozen=True)
class RiskCoverage:
    """A curve, by ascending coverage.

    Attributes:
        coverage: share of the pictures that are kept, in (0, 1]; at most 101 of them.
        risk: share of these that are wrong, in [0, 1].
        aurc: area under the curve of all thresholds, a fraction.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> RiskCoverage:
    """The curve of a threshold on the confidence, each point exact.

    Equally confident pictures are kept or left out together, as a threshold does. AURC is the mean
    over the pictures of the risk at the threshold that just keeps them (Geifman et al. 2019).

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    refuse_other_lengths(confidence, correct)
    order = np.argsort(-confidence, kind="stable")
    falls = np.flatnonzero(np.diff(confidence[order]))
    kept = np.append(falls, len(order) - 1) + 1  # pictures down to the end of each tie
    risk = np.cumsum(~correct[order])[kept - 1] / kept
    shares = kept / len(order)
    aurc = float((np.diff(kept, prepend=0) * risk).sum() / len(order))
    places = np.searchsorted(shares, np.arange(1, POINTS + 1) / POINTS - 1e-12)
    chosen = np.unique([0, *places])
    return RiskCoverage(shares[chosen].tolist(), risk[chosen].tolist(), aurc)
