import math
import time

import numpy as np
import pandas as pd
import pytest

from oodbench.metrics.calibration import aurra, calibration, rms_calibration_error


def rms_loop(confidence: list[float], correct: list[bool], *, drop_last: bool) -> float:
    """The authors' bins (hendrycks/natural-adv-examples), as plain loops."""
    pairs = sorted(zip(confidence, correct, strict=True), key=lambda pair: pair[0])
    n = len(pairs)
    borders = [[100 * i, 100 * (i + 1)] for i in range(n // 100)]
    borders[-1][1] = n
    total = 0.0
    for low, high in borders[: len(borders) - 1] if drop_last else borders:
        members = pairs[low:high]
        gap = sum(c for c, _ in members) / len(members) - sum(r for _, r in members) / len(members)
        total += len(members) / n * gap**2
    return math.sqrt(total)


def aurra_loop(confidence: list[float], correct: list[bool]) -> float:
    ranked = [right for _, right in sorted(zip(confidence, correct, strict=True), reverse=True)]
    return sum(sum(ranked[:k]) / k for k in range(1, len(ranked) + 1)) / len(ranked)


def sample(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    confidence = generator.random(n).astype(np.float32)
    return confidence, generator.random(n) < confidence**3


def records_of(confidence: np.ndarray, correct: np.ndarray, n: int = 200) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": np.full(len(correct), 6, dtype=np.int16),
            f"prediction_{n}way": np.where(correct, 6, 11).astype(np.int16),
            f"confidence_{n}way": confidence,
        }
    )


@pytest.mark.parametrize("n", [100, 199, 200, 250, 1234])
@pytest.mark.parametrize("drop_last", [True, False])
def test_rms_is_that_of_plain_loops(n: int, drop_last: bool) -> None:
    confidence, correct = sample(n)
    found = rms_calibration_error(confidence, correct, drop_last=drop_last)
    reference = rms_loop(confidence.tolist(), correct.tolist(), drop_last=drop_last)
    assert found == pytest.approx(reference, abs=1e-9)


def test_rms_by_hand() -> None:
    # 250 pictures in any order: 100 at .2, none right; 150 at .9, 60 of them right (0.4).
    confidence = np.array([0.9] * 150 + [0.2] * 100)
    correct = np.array([True] * 60 + [False] * 190)
    whole = math.sqrt(100 / 250 * 0.2**2 + 150 / 250 * 0.5**2)
    assert rms_calibration_error(confidence, correct, drop_last=False) == pytest.approx(whole)
    kept = math.sqrt(100 / 250 * 0.2**2)
    assert rms_calibration_error(confidence, correct, drop_last=True) == pytest.approx(kept)


def test_rms_of_equal_confidences_keeps_the_order_given() -> None:
    confidence, correct = np.full(200, 0.5), np.array([True] * 100 + [False] * 100)
    assert rms_calibration_error(confidence, correct, drop_last=False) == pytest.approx(0.5)
    assert rms_calibration_error(confidence[::2], correct[::2], drop_last=False) == 0


def test_rms_below_one_bin() -> None:
    confidence, correct = np.full(40, 0.75), np.array([True] * 10 + [False] * 30)
    assert rms_calibration_error(confidence, correct, drop_last=False) == pytest.approx(0.5)
    assert math.isnan(rms_calibration_error(confidence, correct, drop_last=True))


@pytest.mark.parametrize("n", [1, 7, 500])
def test_aurra_is_that_of_plain_loops(n: int) -> None:
    confidence, correct = sample(n, seed=1)
    assert len(set(confidence.tolist())) == n
    reference = aurra_loop(confidence.tolist(), correct.tolist())
    assert aurra(confidence, correct) == pytest.approx(reference, abs=1e-12)


def test_aurra_by_hand() -> None:
    # By falling confidence: right, wrong, right, so 1, 1/2, 2/3.
    found = aurra(np.array([0.1, 0.9, 0.5]), np.array([True, True, False]))
    assert found == pytest.approx((1 + 1 / 2 + 2 / 3) / 3)


def test_arrays_must_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), \(2,\)"):
        aurra(np.ones(3), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="n >= 1"):
        rms_calibration_error(np.ones(0), np.ones(0, dtype=bool), drop_last=True)


def test_any_subset_is_scored_alike() -> None:
    few, many = (calibration(records_of(*sample(300), n=n)) for n in (30, 200))
    assert few == many


def test_a_model_that_is_always_wrong() -> None:
    # As resnet50 on ImageNet-A: AURRA 0, the RMS error is that of the confidences alone.
    confidence = np.repeat([0.3, 0.5, 0.8], 100).astype(np.float32)
    scores = calibration(records_of(confidence, np.zeros(300, dtype=bool)))
    squares = 0.3**2 + 0.5**2
    assert scores["aurra"].value == scores["aurra"].high == 0
    published = scores["rms_calibration_error_published"]
    assert published.value == pytest.approx(math.sqrt(squares / 3), abs=1e-7)
    standard = scores["rms_calibration_error"]
    assert standard.value == pytest.approx(math.sqrt((squares + 0.8**2) / 3), abs=1e-7)
    assert (standard.note, published.note) == ("", "")
    assert (standard.n, standard.unit, standard.higher_is_better) == (300, "fraction", False)
    assert scores["aurra"].higher_is_better


def test_intervals_are_the_percentiles_of_whole_recomputations() -> None:
    confidence, correct = sample(450, seed=2)
    scores = calibration(records_of(confidence, correct))
    generator = np.random.default_rng(12345)
    draws = [generator.integers(450, size=450) for _ in range(1500)]
    for name, statistic in {
        "aurra": aurra_loop,
        "rms_calibration_error": lambda c, r: rms_loop(c, r, drop_last=False),
        "rms_calibration_error_published": lambda c, r: rms_loop(c, r, drop_last=True),
    }.items():
        some = draws if name != "aurra" else draws[:300]
        values = [statistic(confidence[d].tolist(), correct[d].tolist()) for d in some]
        low, high = np.percentile(values, [2.5, 97.5])
        assert scores[name].low == pytest.approx(low, abs=0.15 * (high - low))
        assert scores[name].high == pytest.approx(high, abs=0.15 * (high - low))


def test_a_full_size_run_takes_seconds() -> None:
    confidence, correct = sample(7500)
    start = time.perf_counter()
    scores = calibration(records_of(confidence, correct))
    assert time.perf_counter() - start < 3  # about 0.2 s on a quiet machine
    for score in scores.values():
        assert score.low < score.value < score.high


def test_fewer_pictures_than_a_bin() -> None:
    scores = calibration(records_of(*sample(60)))
    published = scores["rms_calibration_error_published"]
    assert math.isnan(published.value)
    assert published.note.startswith("fewer than 100 pictures")
    assert scores["rms_calibration_error"].value > 0
    assert scores["rms_calibration_error"].note == "fewer than 100 pictures: one bin of all"


@pytest.mark.parametrize("n", [100, 199])
def test_one_bin_is_dropped_by_the_published_rule(n: int) -> None:
    confidence, correct = sample(n)
    score = calibration(records_of(confidence, correct))["rms_calibration_error_published"]
    assert score.value == 0 == rms_calibration_error(confidence, correct, drop_last=True)
    assert math.isnan(score.low)
    assert "0 by construction" in score.note


def test_a_calibrated_model_is_told_of_its_odd_interval() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.random(7500).astype(np.float32)
    correct = generator.random(7500) < confidence
    score = calibration(records_of(confidence, correct))["rms_calibration_error"]
    assert score.value < score.low
    assert "below its interval" in score.note
