"""ImageNet-C: mean errors, corruption errors and mCE (Hendrycks and Dietterich 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

import pandas as pd

from oodbench.metrics.intervals import NO_INTERVAL
from oodbench.metrics.joint import Term, source_names, weighted_sum
from oodbench.metrics.score import Score, Unit
from oodbench.reference import (
    ALEXNET_CLEAN_ERROR,
    SEVERITIES,
    alexnet_corruption_errors,
    read_table,
)

TEST_CORRUPTIONS = tuple(
    row["corruption"]
    for row in read_table("corruption_reference.csv")
    if (row["benchmark"], row["set"], row["quantity"])
    == ("imagenet_c", "test", "alexnet_mean_error")
)
"""The 15 corruptions that mCE averages; the four held out are never in it."""

N_TEST_CELLS = len(TEST_CORRUPTIONS) * len(SEVERITIES)


Errors = Mapping[tuple[str, int], pd.Series]
"""(corruption, severity) -> bool `(n,)`, True where wrong, indexed by picture; see `errors_of`."""


def errors_of(records: pd.DataFrame) -> pd.Series:
    """Which pictures are wrong, bool `(n,)`, indexed by `<wnid>/<stem>`.

    Args:
        records: rows of one corruption and severity, or clean ones, with `image`, `label` and
            `prediction`.
    """
    wrong = records["prediction"].to_numpy() != records["label"].to_numpy()
    return pd.Series(wrong, index=source_names(records["image"]))


def corruption_scores(errors: Errors) -> dict[str, dict[str, Score]]:
    """All scores of ImageNet-C except the relative mCE.

    Args:
        errors: any of the cells; a corruption is scored when all its five severities are there.

    Returns:
        Under "" `mean_error` (fraction) and `mce` (percent) over the 15 test corruptions, NaN while
        one of their 75 cells is missing. Under each corruption `mean_error` over its severities and
        `ce` (percent), the latter where AlexNet's error, its normaliser, is known. Cells weigh
        equally. Intervals resample pictures jointly over corruptions and severities.

    Raises:
        ValueError: a cell names a picture twice.
    """
    scores = {"": _overall(errors)}
    for corruption in dict.fromkeys(corruption for corruption, _ in errors):
        if all((corruption, severity) in errors for severity in SEVERITIES):
            scores[corruption] = _of_corruption(errors, corruption)
    return scores


def mean_errors(errors: Errors, corruptions: Sequence[str]) -> dict[str, dict[str, Score]]:
    """`mean_error` over all cells and of each corruption, not normalised by any network's.

    Args:
        errors: any of the cells.
        corruptions: that the mean is over, with equal weights.

    Returns:
        Under "" over all, NaN with a note while a cell is missing; under each corruption whose five
        severities are there, over these. Fractions.

    Raises:
        ValueError: a cell names a picture twice.
    """
    cells = [(name, severity) for name in corruptions for severity in SEVERITIES]
    missing = [cell for cell in cells if cell not in errors]
    scores = {
        "": {
            "mean_error": _undefined("fraction", len(missing), len(cells))
            if missing
            else weighted_sum(
                [Term(1 / len(cells), errors[cell]) for cell in cells], unit="fraction"
            )
        }
    }
    for name in corruptions:
        if all((name, severity) in errors for severity in SEVERITIES):
            scores[name] = {"mean_error": weighted_sum(_terms(errors, name, 1), unit="fraction")}
    return scores


def relative_mce(errors: Errors, clean_error: pd.Series) -> Score:
    """Relative mCE in percent: how much corruptions add to the error, against AlexNet.

    The mean over the 15 test corruptions of the rise over the clean error, summed over severities,
    divided by that of AlexNet.

    Args:
        errors: the cells; NaN while one of the 75 is missing.
        clean_error: bool `(n,)`, True where wrong on ImageNet, indexed as the cells are. With
            other pictures than theirs, clean and corrupted ones are resampled apart.

    Raises:
        ValueError: a cell or `clean_error` names a picture twice.
    """
    if missing := _missing(errors):
        return _undefined("percent", missing)
    alexnet = alexnet_corruption_errors()
    weights = {
        corruption: 100 / len(TEST_CORRUPTIONS) / (alexnet[corruption] - ALEXNET_CLEAN_ERROR)
        for corruption in TEST_CORRUPTIONS
    }
    terms = _test_terms(errors, weights)
    return weighted_sum([*terms, Term(-sum(weights.values()), clean_error)], unit="percent")


def _overall(errors: Errors) -> dict[str, Score]:
    if missing := _missing(errors):
        return {
            "mean_error": _undefined("fraction", missing),
            "mce": _undefined("percent", missing),
        }
    alexnet, share = alexnet_corruption_errors(), 1 / len(TEST_CORRUPTIONS)
    plain = dict.fromkeys(TEST_CORRUPTIONS, share)
    against_alexnet = {name: 100 * share / alexnet[name] for name in TEST_CORRUPTIONS}
    return {
        "mean_error": weighted_sum(_test_terms(errors, plain), unit="fraction"),
        "mce": weighted_sum(_test_terms(errors, against_alexnet), unit="percent"),
    }


def _of_corruption(errors: Errors, corruption: str) -> dict[str, Score]:
    mean_error = weighted_sum(_terms(errors, corruption, 1), unit="fraction")
    alexnet = alexnet_corruption_errors().get(corruption)
    if alexnet is None:
        return {"mean_error": mean_error}
    return {"mean_error": mean_error, "ce": _corruption_error(mean_error, corruption, alexnet)}


def _corruption_error(mean_error: Score, corruption: str, alexnet: float) -> Score:
    notes = [mean_error.note]
    if corruption not in TEST_CORRUPTIONS:
        notes.append("AlexNet's error here is known from re-cropped files only")
    return replace(
        mean_error,
        value=100 * mean_error.value / alexnet,
        low=100 * mean_error.low / alexnet,
        high=100 * mean_error.high / alexnet,
        unit="percent",
        note="; ".join(filter(None, notes)),
    )


def _test_terms(errors: Errors, weights: Mapping[str, float]) -> list[Term]:
    return [
        term
        for corruption, weight in weights.items()
        for term in _terms(errors, corruption, weight)
    ]


def _terms(errors: Errors, corruption: str, weight: float) -> list[Term]:
    """Terms that sum to `weight` times the corruption's mean error."""
    return [Term(weight / len(SEVERITIES), errors[corruption, severity]) for severity in SEVERITIES]


def _missing(errors: Errors) -> int:
    cells = ((name, severity) for name in TEST_CORRUPTIONS for severity in SEVERITIES)
    return sum(cell not in errors for cell in cells)


def _undefined(unit: Unit, missing: int, total: int = N_TEST_CELLS) -> Score:
    note = f"{missing} of the {total} test cells (corruption and severity) are missing"
    return Score(nan, *NO_INTERVAL, 0, unit, False, note)
