import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import brier_score_loss, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from oodbench.metrics.confidence import (
    adaptive_calibration_error,
    auroc_of_confidence,
    confidence,
    expected_calibration_error,
)


def sample(n: int, seed: int = 0, digits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, rounded so that some are equal where digits are few, and what was right."""
    generator = np.random.default_rng(seed)
    confident = generator.random(n).round(digits).astype(np.float32)
    return confident, generator.random(n) < confident**2


def records_of(confident: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    prediction = np.where(correct, 6, 11).astype(np.int16)
    label = np.full(len(correct), 6, np.int16)
    return pd.DataFrame({"label": label, "prediction": prediction, "confidence": confident})


def mean_gap(bins: list[list[tuple[float, bool]]]) -> float:
    n = sum(len(members) for members in bins)
    total = 0.0
    for members in filter(None, bins):
        mean = sum(c for c, _ in members) / len(members)
        accuracy = sum(right for _, right in members) / len(members)
        total += len(members) / n * abs(mean - accuracy)
    return total


@pytest.mark.parametrize(("n", "digits"), [(1, 8), (7, 8), (500, 8), (3000, 1), (3000, 8)])
def test_bins_of_equal_width_by_plain_loops(n: int, digits: int) -> None:
    confident, correct = sample(n, seed=n, digits=digits)
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for value, right in zip(confident.astype(float).tolist(), correct.tolist(), strict=True):
        place = next(k for k in range(15) if value <= (k + 1) / 15 or k == 14)
        bins[place].append((value, right))
    found = expected_calibration_error(confident, correct)
    assert found == pytest.approx(mean_gap(bins), abs=1e-9)


@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_bins_of_equal_width_are_torchmetrics(n_bins: int) -> None:
    confident, correct = sample(2000)
    theirs = binary_calibration_error(
        torch.from_numpy(confident), torch.from_numpy(correct).int(), n_bins=n_bins
    )
    found = expected_calibration_error(confident, correct, n_bins)
    assert found == pytest.approx(float(theirs), abs=1e-5)


@pytest.mark.parametrize("n", [1, 7, 15, 16, 500, 1501])
def test_bins_of_equal_number_by_plain_loops(n: int) -> None:
    confident, correct = sample(n, seed=n)
    pairs = sorted(zip(confident.astype(float).tolist(), correct.tolist(), strict=True))
    count = min(15, n)
    borders = [n * k // count for k in range(count + 1)]
    bins = [pairs[low:high] for low, high in zip(borders, borders[1:], strict=False)]
    assert {len(members) for members in bins} <= {n // count, n // count + 1}
    found = adaptive_calibration_error(confident, correct)
    assert found == pytest.approx(mean_gap(bins), abs=1e-9)


@pytest.mark.parametrize("digits", [1, 2, 8])
def test_auroc_and_brier_are_scikit_learns(digits: int) -> None:
    confident, correct = sample(1000, digits=digits)
    found = confidence(records_of(confident, correct))
    assert auroc_of_confidence(confident, correct) == pytest.approx(
        roc_auc_score(correct, confident), abs=1e-9
    )
    assert found["auroc"].value == pytest.approx(roc_auc_score(correct, confident), abs=1e-9)
    assert found["brier"].value == pytest.approx(brier_score_loss(correct, confident), abs=1e-7)


def test_scores_and_their_intervals() -> None:
    confident, correct = sample(1000)
    found = confidence(records_of(confident, correct))
    assert list(found) == ["ece", "adaptive_ece", "brier", "auroc"]
    assert found["ece"].value == expected_calibration_error(confident, correct)
    assert found["adaptive_ece"].value == adaptive_calibration_error(confident, correct)
    assert [score.higher_is_better for score in found.values()] == [False, False, False, True]
    for score in found.values():
        assert score.n == 1000
        assert score.low < score.high
        assert score.low <= score.value <= score.high


def test_interval_of_the_auroc_is_that_of_resampled_pictures() -> None:
    confident, correct = sample(400)
    generator = np.random.default_rng(5)
    values = []
    for _ in range(1000):
        draw = generator.integers(400, size=400)
        values.append(roc_auc_score(correct[draw], confident[draw]))
    score = confidence(records_of(confident, correct))["auroc"]
    low, high = np.percentile(values, [2.5, 97.5])
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong(right: bool) -> None:
    confident = np.full(20, 0.75, np.float32)
    found = confidence(records_of(confident, np.full(20, right)))
    gap = 0.25 if right else 0.75
    assert found["ece"].value == pytest.approx(gap)
    assert found["adaptive_ece"].value == pytest.approx(gap)
    assert found["brier"].value == pytest.approx(gap**2)
    assert math.isnan(found["auroc"].value)
    assert f"all pictures are {'right' if right else 'wrong'}" in found["auroc"].note


def test_one_picture() -> None:
    found = confidence(records_of(np.array([0.9], np.float32), np.array([True])))
    assert found["ece"].value == pytest.approx(0.1)
    assert math.isnan(found["ece"].low)


def test_equal_confidences_tell_nothing() -> None:
    assert auroc_of_confidence(np.full(4, 0.5), np.array([True, False, True, False])) == 0.5


@pytest.mark.parametrize("statistic", [expected_calibration_error, auroc_of_confidence])
def test_arrays_of_two_lengths(statistic: object) -> None:
    assert callable(statistic)
    with pytest.raises(ValueError, match="expected two arrays"):
        statistic(np.zeros(3), np.zeros(4, bool))
    with pytest.raises(ValueError, match="expected two arrays"):
        statistic(np.zeros(0), np.zeros(0, bool))
