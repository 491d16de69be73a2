"""Which runs of a table are as good as the best one, as far as their pictures can tell."""

from collections.abc import Hashable, Mapping
from math import isnan
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.paired import holm, mcnemar
from oodbench.metrics.score import Score

LEVEL = 0.05

UNKNOWN = -1
"""In the place of a picture that a run has not scored."""

Name = TypeVar("Name", bound=Hashable)


def best_group(
    runs: Mapping[Name, NDArray[np.int8]], *, higher_is_better: bool = True
) -> list[Name]:
    """The best run and all that cannot be told from it at 95 %, the best first.

    Each run is compared with the best one by the exact McNemar test on the pictures that both have;
    p-values are adjusted for their number by Holm's method. Of equally good runs the first one
    counts as the best.

    Args:
        runs: by name, of each picture 1 where it is right, 0 where it is wrong, and `UNKNOWN`; int8
            `(n,)`, the same picture at the same position in all of them.
        higher_is_better: whether more is better.

    Raises:
        ValueError: runs differ in their number of pictures, or one has none.
    """
    if len({flags.shape for flags in runs.values()}) > 1:
        raise ValueError("expected the same pictures in all runs")
    shares = {name: _share(flags) for name, flags in runs.items()}
    best, others = _ranked(shares, higher_is_better=higher_is_better)
    p_values = [_p_value(runs[best[0]], runs[name]) for name in others]
    return [*best, *_not_separable(others, p_values)]


def best_group_by_intervals(
    scores: Mapping[Name, Score], *, higher_is_better: bool = True
) -> list[Name]:
    """As `best_group`, of scores whose pictures cannot be paired.

    Each score is compared with the best one by a z-test of two independent estimates, whose
    standard errors are their intervals' widths over 2 x 1.96. Scores of the same pictures vary
    together, so that the test finds fewer differences than there are. A score without interval is
    told from none.

    Args:
        scores: by name, none of them NaN.
        higher_is_better: whether more is better.
    """
    values = {name: score.value for name, score in scores.items()}
    best, others = _ranked(values, higher_is_better=higher_is_better)
    p_values = [_z_test(scores[best[0]], scores[name]) for name in others]
    return [*best, *_not_separable(others, p_values)]


def _ranked(
    values: Mapping[Name, float], *, higher_is_better: bool
) -> tuple[list[Name], list[Name]]:
    """The name of the best, none where there are none, and the others, the better first."""
    ranked = sorted(values, key=lambda name: values[name], reverse=higher_is_better)
    return ranked[:1], ranked[1:]


def _not_separable(names: list[Name], p_values: list[float]) -> list[Name]:
    adjusted = holm(p_values)
    return [name for name, p in zip(names, adjusted, strict=True) if p >= LEVEL]


def _share(flags: NDArray[np.int8]) -> float:
    known = flags != UNKNOWN
    if not known.any():
        raise ValueError("expected at least one picture in each run")
    return float(flags[known].mean())


def _p_value(first: NDArray[np.int8], second: NDArray[np.int8]) -> float:
    return mcnemar(
        int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
    )


def _z_test(first: Score, second: Score) -> float:
    """Two-sided p-value; 1 where nothing is known of the spread."""
    spread = float(np.hypot(first.high - first.low, second.high - second.low)) / (2 * 1.959964)
    distance = abs(first.value - second.value)
    if isnan(spread) or distance == 0:
        return 1.0
    if spread == 0:
        return 0.0
    from scipy.stats import norm

    return float(2 * norm.sf(distance / spread))
