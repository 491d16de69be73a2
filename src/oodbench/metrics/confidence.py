"""How far a model's confidence can be trusted: calibration errors, Brier score, AUROC.

All are of the confidence in the predicted class, which the records hold, not of the probabilities
of the other classes.
"""

from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.ascending import Floats, Statistic, ascending, bootstrap_ascending
from oodbench.metrics.intervals import NO_INTERVAL, bootstrap_mean
from oodbench.metrics.score import Score

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
    """`ece`, `adaptive_ece`, `brier` and `auroc`, each of the confidence in the predicted class.

    `brier` is the mean squared difference between the confidence and 1 where the prediction is
    right, 0 where it is wrong (Brier 1950). Intervals are bootstrapped over pictures; those of
    calibration errors are too high, since resampling adds to the error.

    Args:
        records: rows with `label`, `prediction` and `confidence`.

    Raises:
        ValueError: there are no rows.
    """
    right = records["prediction"].to_numpy() == records["label"].to_numpy()
    sorted_pair = ascending(records["confidence"].to_numpy(), right)
    squares = (sorted_pair[0] - sorted_pair[1]) ** 2
    return {
        "ece": _score(_by_width, sorted_pair, higher_is_better=False),
        "adaptive_ece": _score(_by_number, sorted_pair, higher_is_better=False),
        "brier": Score(
            *(float(squares.mean()), *bootstrap_mean(squares), len(squares)),
            higher_is_better=False,
        ),
        "auroc": _score(_auroc, sorted_pair, higher_is_better=True),
    }


def _score(
    statistic: Statistic, sorted_pair: tuple[Floats, Floats], *, higher_is_better: bool
) -> Score:
    confident, correct = sorted_pair
    n = len(confident)
    value = statistic(confident, correct)
    if np.isnan(value):
        all_of = "right" if correct[0] else "wrong"
        note = f"all pictures are {all_of}: there is nothing to tell apart"
        return Score(nan, *NO_INTERVAL, n, higher_is_better=higher_is_better, note=note)

    interval = bootstrap_ascending(statistic, confident, correct)
    return Score(value, *interval, n, higher_is_better=higher_is_better)


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
