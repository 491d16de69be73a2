"""Calibration among a subset of the classes: RMS calibration error and AURRA.

Hendrycks et al. 2021, on the 200 classes of ImageNet-A.
"""

from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.accuracy import subset_size
from oodbench.metrics.ascending import Floats, Statistic, ascending, bootstrap_ascending
from oodbench.metrics.intervals import NO_INTERVAL
from oodbench.metrics.score import BELOW_INTERVAL, Score

BIN_SIZE = 100
"""Pictures per bin of the RMS calibration error."""


def rms_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], *, drop_last: bool
) -> float:
    """Root mean square gap between confidence and accuracy over bins of equal size.

    Bins hold 100 consecutive pictures by ascending confidence; the last one also holds the
    remainder. A bin weighs its pictures over all pictures. Ties stay in the order given.

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.
        drop_last: leave the last bin, that of the most confident pictures, out of the sum while n
            stays the full count, as the authors' released code does (their text does not).

    Returns:
        A fraction in [0, 1]. For n < 100: without `drop_last` the gap of one bin of all pictures,
        with it NaN (that code fails there). For n in 100..199 `drop_last` leaves no bin, hence 0.

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    return _rms(*ascending(confidence, correct), drop_last=drop_last)


def aurra(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Area under the response rate accuracy curve.

    The mean over k = 1..n of the accuracy among the k most confident pictures. The order is a
    stable ascending sort read backwards, so of equally confident pictures the later comes first.

    Args:
        confidence: `(n,)` in [0, 1], n at least 1.
        correct: bool `(n,)`.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    return _aurra(*ascending(confidence, correct))


def calibration(records: pd.DataFrame) -> dict[str, Score]:
    """`rms_calibration_error_published`, `rms_calibration_error` and `aurra` within a subset.

    Intervals are bootstrapped over pictures. Resampling adds noise that the RMS error counts as
    miscalibration: that of a nearly calibrated model can lie below its interval, and its note says
    so then.

    Args:
        records: rows with `label`, `prediction_<n>way` and `confidence_<n>way`, n the number of
            classes in the subset, 200 on ImageNet-A.

    Raises:
        ValueError: there are no rows.
        ConfigError: the records hold no decision among a subset.
    """
    n = subset_size(records)
    right = records[f"prediction_{n}way"].to_numpy() == records["label"].to_numpy()
    confidence, correct = ascending(records[f"confidence_{n}way"].to_numpy(), right)
    return {
        "rms_calibration_error_published": _published_score(confidence, correct),
        "rms_calibration_error": _standard_score(confidence, correct),
        "aurra": _score(_aurra, confidence, correct, higher_is_better=True),
    }


def _published_score(confidence: Floats, correct: Floats) -> Score:
    n = len(confidence)
    if n < BIN_SIZE:
        note = "fewer than 100 pictures: the published rule has no bin"
        return Score(nan, *NO_INTERVAL, n, higher_is_better=False, note=note)
    if n < 2 * BIN_SIZE:
        note = "fewer than 200 pictures: 0 by construction, the published rule drops the only bin"
        return Score(0.0, *NO_INTERVAL, n, higher_is_better=False, note=note)
    return _score(_rms_published, confidence, correct, higher_is_better=False)


def _standard_score(confidence: Floats, correct: Floats) -> Score:
    note = "fewer than 100 pictures: one bin of all" if len(confidence) < BIN_SIZE else ""
    return _score(_rms, confidence, correct, higher_is_better=False, note=note)


def _score(
    statistic: Statistic,
    confidence: Floats,
    correct: Floats,
    *,
    higher_is_better: bool,
    note: str = "",
) -> Score:
    """Score a statistic of arrays that are sorted by ascending confidence."""
    value = statistic(confidence, correct)
    [(low, high)] = bootstrap_ascending([statistic], confidence, correct)
    if value < low and not note:
        note = BELOW_INTERVAL
    return Score(value, low, high, len(confidence), "fraction", higher_is_better, note)


def _rms(confidence: Floats, correct: Floats, *, drop_last: bool = False) -> float:
    n = len(confidence)
    if n < BIN_SIZE and drop_last:
        return nan
    starts = np.arange(max(n // BIN_SIZE, 1)) * BIN_SIZE
    sizes = np.diff(starts, append=n)
    gaps = np.add.reduceat(confidence - correct, starts) / sizes
    squares = sizes / n * gaps**2
    return float(np.sqrt(squares[:-1].sum() if drop_last else squares.sum()))


def _rms_published(confidence: Floats, correct: Floats) -> float:
    return _rms(confidence, correct, drop_last=True)


def _aurra(_: Floats, correct: Floats) -> float:
    return float((np.cumsum(correct[::-1]) / np.arange(1, len(correct) + 1)).mean())
