"""Detection scores, against scikit-learn's curves, with ties and by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from oodbench.metrics.detection import INSIDE, OUTSIDE, curve_scores, detection


def sklearn_scores(scores: NDArray[Any], positive: NDArray[np.bool_]) -> dict[str, float]:
    fpr, tpr, _ = roc_curve(positive, scores, drop_intermediate=False)
    return {
        "aupr": average_precision_score(positive, scores),
        "auroc": roc_auc_score(positive, scores),
        "fpr95": float(fpr[np.argmax(tpr >= 0.95)]),
    }


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("decimals", [None, 1, 0], ids=["no ties", "ties", "many ties"])
def test_against_scikit_learn(seed: int, decimals: int | None) -> None:
    rng = np.random.default_rng(seed)
    positive = rng.random(300) < 0.2
    scores = rng.normal(size=300) + positive
    if decimals is not None:
        scores = scores.round(decimals)
    found = curve_scores(scores, positive)
    for name, known in sklearn_scores(scores, positive).items():
        assert found[name].value == pytest.approx(known, abs=1e-12), name
        assert found[name].low <= found[name].value <= found[name].high


def test_all_equal_scores_are_chance() -> None:
    positive = np.array([True] * 3 + [False] * 9)
    found = curve_scores(np.zeros(12), positive)
    assert {name: score.value for name, score in found.items()} == {
        "aupr": 0.25,
        "auroc": 0.5,
        "fpr95": 1.0,
    }


def test_by_hand() -> None:
    """Scores 4 3 2 1, of which the first and third are positive: precision 1 and 2/3."""
    found = curve_scores(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False]))
    assert found["aupr"].value == pytest.approx((1 + 2 / 3) / 2)
    assert found["auroc"].value == pytest.approx(3 / 4)
    assert found["fpr95"].value == pytest.approx(1 / 2)
    assert [found[name].higher_is_better for name in ("aupr", "auroc", "fpr95")] == [
        True,
        True,
        False,
    ]


def split(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "confidence": rng.random(n).astype(np.float32),
            "confidence_200way": rng.random(n).astype(np.float32),
            "prediction_200way": np.zeros(n, np.int16),
            "max_logit": rng.normal(10, 3, n).astype(np.float32),
        }
    )


def test_three_scores_each_of_what_is_unusual() -> None:
    records = {OUTSIDE: split(40, 1), INSIDE: split(200, 2)}
    found = detection(records, 1 / 6)
    positive = np.repeat([True, False], [40, 200])
    for suffix, column in (
        ("", "confidence"),
        ("_200way", "confidence_200way"),
        ("_max_logit", "max_logit"),
    ):
        scores = -np.concatenate([records[name][column] for name in (OUTSIDE, INSIDE)])
        for name, known in sklearn_scores(scores, positive).items():
            assert found[name + suffix].value == pytest.approx(known, abs=1e-12)
    assert next(iter(found)) == "aupr"
    assert all(score.note == "" for score in found.values())


def test_aupr_of_another_mixture_says_so() -> None:
    found = detection({OUTSIDE: split(40, 1), INSIDE: split(40, 2)}, 1 / 6)
    assert found["aupr"].note == (
        "50.0% of the pictures are positive, officially 16.7%: AUPR is not comparable"
    )
    assert found["auroc"].note == ""


def test_without_one_of_the_splits() -> None:
    found = detection({OUTSIDE: split(4, 1)}, 1 / 6)
    assert np.isnan(found["aupr"].value)
    assert found["aupr"].note == "no pictures of in_distribution"
