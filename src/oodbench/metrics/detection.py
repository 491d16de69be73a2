"""How well a score tells pictures of unknown classes from those of known ones (ImageNet-O)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.accuracy import subset_size
from oodbench.metrics.intervals import NO_INTERVAL, bootstrap_together
from oodbench.metrics.score import Score

OUTSIDE = "out_of_distribution"
"""Split of the pictures of unknown classes, which are the positive ones."""

INSIDE = "in_distribution"
"""Split of the pictures of known classes."""

TRUE_POSITIVE_RATE = 0.95
"""At which the false positive rate is taken."""


@dataclass(frozen=True)
class _Curve:
    """Pictures sorted by falling score, for any number of copies of each.

    Attributes:
        order: positions of the pictures, int64 `(n,)`.
        ends: where in this order a run of equal scores ends, int64 `(m,)`.
        positive: in this order, bool `(n,)`.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    positive: NDArray[np.bool_]

    def counts(self, copies: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """True and false positives at every threshold, each int64 `(m,)`."""
        sorted_copies = copies[self.order]
        true = np.cumsum(np.where(self.positive, sorted_copies, 0))[self.ends]
        false = np.cumsum(np.where(self.positive, 0, sorted_copies))[self.ends]
        return true, false


def detection(splits: Mapping[str, pd.DataFrame], official_share: float) -> dict[str, Score]:
    """AUPR, AUROC and FPR at 95 % TPR of three scores; unknown classes are the positive ones.

    `aupr`, `auroc` and `fpr95` are of minus the largest probability among all classes of the
    network (Hendrycks & Gimpel 2017); with `_<n>way` of that among the n known classes alone, with
    `_max_logit` of minus the largest logit (Hendrycks et al. 2022). AUPR is the average precision,
    the sum of precision times the rise in recall over all thresholds. FPR at 95 % TPR is taken at
    the highest threshold at which at least 95 % of the positive pictures are found.

    Args:
        splits: records of `out_of_distribution` and `in_distribution` with `confidence`,
            `confidence_<n>way` and `max_logit`.
        official_share: of the positive pictures among all, on which AUPR depends.

    Returns:
        Fractions, with bootstrap intervals over all pictures; NaN with a note where one of the
        splits has no pictures.
    """
    if missing := [name for name in (OUTSIDE, INSIDE) if not len(splits.get(name, ()))]:
        undefined = Score(nan, *NO_INTERVAL, 0, note=f"no pictures of {', '.join(missing)}")
        return {"aupr": undefined, "auroc": undefined, "fpr95": undefined}
    outside, inside = splits[OUTSIDE], splits[INSIDE]
    way = f"{subset_size(inside)}way"
    positive = np.repeat([True, False], [len(outside), len(inside)])
    note = _share_note(positive.mean(), official_share)
    scores: dict[str, Score] = {}
    columns = {"": "confidence", f"_{way}": f"confidence_{way}", "_max_logit": "max_logit"}
    for suffix, column in columns.items():
        values = -np.concatenate([outside[column].to_numpy(), inside[column].to_numpy()])
        scores |= {
            f"{name}{suffix}": score for name, score in curve_scores(values, positive, note).items()
        }
    return scores


def curve_scores(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], note: str = ""
) -> dict[str, Score]:
    """`aupr`, `auroc` and `fpr95` of scores that are to be high where `positive` is true.

    Args:
        scores: `(n,)`, finite; equal ones share a threshold.
        positive: bool `(n,)`, of both kinds.
        note: for AUPR.
    """
    curve, n = _curve(scores, positive), len(scores)

    def values(copies: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = curve.counts(copies)
        return np.array([statistic(*counts) for statistic in _STATISTICS.values()])

    intervals = bootstrap_together(lambda draw: values(np.bincount(draw, minlength=n)), n)
    return {
        name: Score(
            *(float(value), *interval, n),
            higher_is_better=name != "fpr95",
            note=note if name == "aupr" else "",
        )
        for name, value, interval in zip(
            _STATISTICS, values(np.ones(n, np.int64)), intervals, strict=True
        )
    }


def _curve(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> _Curve:
    order = np.argsort(-scores, kind="stable")
    falls = np.flatnonzero(np.diff(scores[order]))
    ends = np.append(falls, len(scores) - 1)
    return _Curve(order, ends, positive[order])


def _average_precision(true: NDArray[np.int64], false: NDArray[np.int64]) -> float:
    found = np.maximum(true + false, 1)  # of a threshold that no drawn picture reaches
    rises = np.diff(true, prepend=0)
    return float((rises * true / found).sum() / true[-1]) if true[-1] else nan


def _area_under_roc(true: NDArray[np.int64], false: NDArray[np.int64]) -> float:
    if not true[-1] or not false[-1]:
        return nan
    found, height = np.diff(false, prepend=0), true - np.diff(true, prepend=0) / 2
    return float((found * height).sum() / (true[-1] * false[-1]))


def _fpr(true: NDArray[np.int64], false: NDArray[np.int64]) -> float:
    if not true[-1] or not false[-1]:
        return nan
    reached = int(np.argmax(true / true[-1] >= TRUE_POSITIVE_RATE))
    return float(false[reached] / false[-1])


_STATISTICS: dict[str, Callable[[NDArray[np.int64], NDArray[np.int64]], float]] = {
    "aupr": _average_precision,
    "auroc": _area_under_roc,
    "fpr95": _fpr,
}
"""By name; each takes true and false positives at every threshold, int64 `(m,)`."""


def _share_note(share: float, official: float) -> str:
    if abs(share - official) < 1e-9:
        return ""
    return (
        f"{share:.1%} of the pictures are positive, officially {official:.1%}: AUPR is not "
        "comparable"
    )
