"""How far a model's confidence can be trusted: calibration errors, Brier score, likelihood."""

from math import isnan, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.ascending import Floats, Statistic, ascending, bootstrap_ascending
from oodbench.metrics.correctness import decision_column
from oodbench.metrics.intervals import NO_INTERVAL, Interval, bootstrap_mean
from oodbench.metrics.score import BELOW_INTERVAL, Score

N_BINS = 15
"""As in Guo et al. 2017."""


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], n_bins: int = N_BINS
) -> float:
    """Mean gap between confidence and accuracy over bins of equal width (Guo et al. 2017).

    A bin weighs its share of the pictures. Bin k holds confidences in (k / n_bins, (k + 1) /
    n_bins], the first one 0 too.

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.
        n_bins: at least 1.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    return _by_width(*ascending(confidence, correct), n_bins)


def adaptive_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], n_bins: int = N_BINS
) -> float:
    """As the expected calibration error, over bins of equally many pictures.

    Nguyen and O'Connor 2015. Pictures are cut by ascending confidence at the multiples of n /
    n_bins, rounded down; of equally confident pictures the order given decides.

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.
        n_bins: at least 1; with fewer pictures there are as many bins as pictures.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    return _by_number(*ascending(confidence, correct), n_bins)


def auroc_of_confidence(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Probability that a right picture is more confident than a wrong one; ties count half.

    The area under the ROC curve of telling right from wrong predictions by the confidence
    (Hendrycks and Gimpel 2017).

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.

    Returns:
        A fraction in [0, 1]; NaN where all pictures are right, or all are wrong.

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    return _auroc(*ascending(confidence, correct))


def bins_by_width(confidence: Floats, n_bins: int = N_BINS) -> NDArray[np.intp]:
    """Number of each confidence's bin: k holds (k / n_bins, (k + 1) / n_bins], the first one 0 too.

    Args:
        confidence: float64 `(n,)` in [0, 1].
        n_bins: at least 1.
    """
    return np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)


def confidence(records: pd.DataFrame) -> dict[str, Score]:
    """How far the decision that the benchmark counts can be trusted.

    `ece`, `adaptive_ece`, `brier_of_confidence` and `auroc_of_confidence` are of the confidence in
    the predicted class: the Brier score is the mean squared difference between it and 1 where the
    prediction is right, 0 where it is wrong. `nll` and `brier` are proper scores of the whole
    distribution: the mean negative log-likelihood of the label, in nats, and the squared distance
    of all probabilities from those of the label alone (Brier 1950), in [0, 2]. All are among the
    classes of the subset where there is one.

    Intervals are bootstrapped over pictures. Those of calibration errors are too high, as
    resampling adds to the error; the note of a score that lies below its interval says so.

    Args:
        records: rows with `label` and the columns of the decision, `prediction` and `confidence`,
            or these with `_<n>way` behind. `nll` and `brier` are made where the rows have the
            columns of `oodbench.readouts.label_columns`, which those of earlier versions lack.

    Raises:
        ValueError: there are no rows.
    """
    way = decision_column(records).removeprefix("prediction")
    right = records[f"prediction{way}"].to_numpy() == records["label"].to_numpy()
    pair = ascending(records[f"confidence{way}"].to_numpy(), right)
    values = [statistic(*pair) for statistic, _ in _OF_CONFIDENCE.values()]
    intervals = bootstrap_ascending([one for one, _ in _OF_CONFIDENCE.values()], *pair)
    scores = {
        name: _score(value, interval, right, higher_is_better=higher)
        for (name, (_, higher)), value, interval in zip(
            _OF_CONFIDENCE.items(), values, intervals, strict=True
        )
    }
    return {**scores, **_of_distribution(records, way)}


def _score(
    value: float, interval: Interval, right: NDArray[np.bool_], *, higher_is_better: bool
) -> Score:
    n, note = len(right), ""
    if isnan(value):
        all_of = "right" if right.any() else "wrong"
        note = f"all pictures are {all_of}: there is nothing to tell apart"
        return Score(nan, *NO_INTERVAL, n, higher_is_better=higher_is_better, note=note)
    if isnan(interval.low):
        interval = NO_INTERVAL
    elif value < interval.low:
        note = BELOW_INTERVAL
    return Score(value, *interval, n, higher_is_better=higher_is_better, note=note)


def _of_distribution(records: pd.DataFrame, way: str) -> dict[str, Score]:
    """`nll` and `brier`; none where a row lacks what they need."""
    columns = [f"label_log_probability{way}", f"sum_of_squared_probabilities{way}"]
    if not set(columns) <= set(records) or records[columns].isna().to_numpy().any():
        return {}
    logs, squares = (records[name].to_numpy(np.float64) for name in columns)
    at_label = np.exp(logs)
    brier = squares - 2 * at_label + 1
    n = len(records)
    scores = {"brier": Score(float(brier.mean()), *bootstrap_mean(brier), n, "fraction", False)}
    if n_absent := int(np.isneginf(logs).sum()):
        note = f"infinite: the network has no output for the labels of {n_absent} pictures"
        return {"nll": Score(nan, *NO_INTERVAL, n, "nats", False, note), **scores}
    return {"nll": Score(float(-logs.mean()), *bootstrap_mean(-logs), n, "nats", False), **scores}


def _by_width(confident: Floats, correct: Floats, n_bins: int = N_BINS) -> float:
    bins = bins_by_width(confident, n_bins)
    gaps = np.bincount(bins, confident - correct, n_bins)
    return float(np.abs(gaps).sum() / len(confident))


def _by_number(confident: Floats, correct: Floats, n_bins: int = N_BINS) -> float:
    n = len(confident)
    n_bins = min(n_bins, n)
    starts = np.arange(n_bins) * n // n_bins
    return float(np.abs(np.add.reduceat(confident - correct, starts)).sum() / n)


def _auroc(confident: Floats, correct: Floats) -> float:
    n_right = correct.sum()
    n_wrong = len(correct) - n_right
    if not n_right or not n_wrong:
        return nan
    first = np.flatnonzero(np.diff(confident, prepend=-1.0))  # of each confidence that occurs
    right = np.add.reduceat(correct, first)
    wrong = np.diff(first, append=len(correct)) - right
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2)).sum() / (n_right * n_wrong))


def _brier(confident: Floats, correct: Floats) -> float:
    return float(np.square(confident - correct).mean())


_OF_CONFIDENCE: dict[str, tuple[Statistic, bool]] = {
    "ece": (_by_width, False),
    "adaptive_ece": (_by_number, False),
    "brier_of_confidence": (_brier, False),
    "auroc_of_confidence": (_auroc, True),
}
"""Statistics by the score's name, and whether higher is better."""
