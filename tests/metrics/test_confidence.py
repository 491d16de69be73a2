import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from oodbench.metrics.confidence import (
    adaptive_calibration_error,
    auroc_of_confidence,
    confidence,
    expected_calibration_error,
)
from oodbench.readouts import Standard, Subset


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
    assert found["auroc_of_confidence"].value == pytest.approx(
        roc_auc_score(correct, confident), abs=1e-9
    )
    brier = brier_score_loss(correct, confident)
    assert found["brier_of_confidence"].value == pytest.approx(brier, abs=1e-7)


def test_scores_and_their_intervals() -> None:
    confident, correct = sample(1000)
    found = confidence(records_of(confident, correct))
    assert list(found) == ["ece", "adaptive_ece", "brier_of_confidence", "auroc_of_confidence"]
    assert found["ece"].value == expected_calibration_error(confident, correct)
    assert found["adaptive_ece"].value == adaptive_calibration_error(confident, correct)
    assert [score.higher_is_better for score in found.values()] == [False, False, False, True]
    for score in found.values():
        assert score.n == 1000
        assert score.low < score.high
        assert score.low <= score.value <= score.high or "lies below its interval" in score.note


def test_interval_of_the_auroc_is_that_of_resampled_pictures() -> None:
    confident, correct = sample(400)
    generator = np.random.default_rng(5)
    values = []
    for _ in range(1000):
        draw = generator.integers(400, size=400)
        values.append(roc_auc_score(correct[draw], confident[draw]))
    score = confidence(records_of(confident, correct))["auroc_of_confidence"]
    low, high = np.percentile(values, [2.5, 97.5])
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong(right: bool) -> None:
    confident = np.full(20, 0.75, np.float32)
    found = confidence(records_of(confident, np.full(20, right)))
    gap = 0.25 if right else 0.75
    assert found["ece"].value == pytest.approx(gap)
    assert found["adaptive_ece"].value == pytest.approx(gap)
    assert found["brier_of_confidence"].value == pytest.approx(gap**2)
    assert math.isnan(found["auroc_of_confidence"].value)
    assert f"all pictures are {'right' if right else 'wrong'}" in found["auroc_of_confidence"].note


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


def read_out(readout: Standard | Subset, logits: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    columns = {**readout(logits), **readout.of_labels(logits, labels)}
    return pd.DataFrame({"label": labels} | {name: list(v) for name, v in columns.items()})


def test_proper_scores_are_scikit_learns() -> None:
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 3, (300, 1000)).astype(np.float32)
    labels = generator.integers(1000, size=300).astype(np.int16)
    logits[np.arange(200), labels[:200]] += 9
    probabilities = torch.from_numpy(logits).double().softmax(1).numpy()
    found = confidence(read_out(Standard(), logits, labels))
    expected = log_loss(labels, probabilities, labels=range(1000))
    assert found["nll"].value == pytest.approx(expected, rel=1e-6)
    assert found["nll"].unit == "nats"
    brier = brier_score_loss(
        labels, probabilities, labels=range(1000), scale_by_half=False, pos_label=None
    )
    assert found["brier"].value == pytest.approx(brier, abs=1e-6)
    for score in (found["nll"], found["brier"]):
        assert score.low < score.value < score.high
        assert (score.n, score.higher_is_better) == (300, False)


def test_among_a_subset_all_scores_are_of_its_classes() -> None:
    generator = np.random.default_rng(4)
    readout = Subset(classes="imagenet_a")
    logits = generator.normal(0, 3, (100, 1000)).astype(np.float32)
    labels = generator.choice(readout.indices, 100).astype(np.int16)
    records = read_out(readout, logits, labels)
    places = np.searchsorted(readout.indices, labels)
    probabilities = torch.from_numpy(logits[:, readout.indices]).double().softmax(1).numpy()
    right = probabilities.argmax(1) == places
    found = confidence(records)
    expected = log_loss(places, probabilities, labels=range(200))
    assert found["nll"].value == pytest.approx(expected, rel=1e-6)
    at_best = brier_score_loss(right, probabilities.max(1))
    assert found["brier_of_confidence"].value == pytest.approx(at_best, abs=1e-6)
    whole = torch.from_numpy(logits).double().log_softmax(1).numpy()
    of_all = records["label_log_probability"]
    np.testing.assert_allclose(of_all, whole[np.arange(100), labels], rtol=1e-5)


def test_records_of_earlier_versions_have_no_proper_scores() -> None:
    """Neither whole ones, nor those that this version has gone on with."""
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(20, 1000)).astype(np.float32)
    records = read_out(Standard(), logits, np.arange(20, dtype=np.int16))
    assert {"nll", "brier"} <= set(confidence(records))
    older = records.drop(columns=["label_log_probability", "sum_of_squared_probabilities"])
    records.loc[:9, "label_log_probability"] = np.nan
    for left in (older, records):
        assert list(confidence(left))[-1] == "auroc_of_confidence"


def test_a_label_without_an_output_is_infinitely_unlikely() -> None:
    logits = np.zeros((4, 1000), np.float32)
    logits[:, 5] = -np.inf
    found = confidence(read_out(Standard(), logits, np.array([5, 5, 6, 0], np.int16)))
    assert math.isnan(found["nll"].value)
    assert "no output for the labels of 2 pictures" in found["nll"].note
    # Two pictures at distance 1 + 1/999 from their label, two at 1 - 2/999 + 1/999.
    assert found["brier"].value == pytest.approx(1, abs=1e-6)
    outside = Subset(classes="imagenet_a").of_labels(logits, np.zeros(4, np.int16))
    assert np.isneginf(outside["label_log_probability_200way"]).all()
