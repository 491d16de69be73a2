import math

import numpy as np
import pandas as pd
import pytest

from oodbench.metrics.corruption import TEST_CORRUPTIONS, corruption_scores, errors_of, relative_mce
from oodbench.reference import read_table

HELD_OUT = ["speckle_noise", "gaussian_blur", "spatter", "saturate"]
PAPER = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
# Denominators for hand-worked values, from the shipped table read by another way.
TABLE = pd.DataFrame(read_table("corruption_reference.csv"))
ALEXNET = {
    row.corruption: float(row.value)
    for row in TABLE[TABLE["quantity"] == "alexnet_mean_error"].itertuples()
}
CLEAN = 0.43478
Errors = dict[tuple[str, int], pd.Series]


def cell(wrong: int, n: int) -> pd.Series:
    return pd.Series(np.arange(n) < wrong, index=[f"n{i % 7}/{i}" for i in range(n)])


def random_errors(n: int, seed: int, corruptions: list[str]) -> Errors:
    """Errors that are alike over cells, as those of real pictures: some are hard everywhere."""
    generator = np.random.default_rng(seed)
    hard = generator.random(n)
    names = [f"n{i % 7}/{i}" for i in range(n)]
    return {
        (name, severity): pd.Series(
            0.5 * hard + 0.5 * generator.random(n) < 0.3 + 0.08 * severity, index=names
        )
        for name in corruptions
        for severity in range(1, 6)
    }


def alexnet_errors() -> Errors:
    """50,000 pictures, and AlexNet's published error in each of the 75 cells."""
    names = pd.Index([f"n/{i}" for i in range(50_000)])
    errors = {}
    for row in TABLE[TABLE["quantity"].str.startswith("alexnet_error_severity_")].itertuples():
        wrong = round(float(row.value) * 50_000)
        assert wrong == pytest.approx(float(row.value) * 50_000, abs=1e-6)
        errors[row.corruption, int(row.quantity[-1])] = pd.Series(
            np.arange(50_000) < wrong, index=names
        )
    return errors


def test_the_fifteen_test_corruptions_are_those_of_the_paper() -> None:
    assert list(TEST_CORRUPTIONS) == PAPER


@pytest.mark.slow
def test_alexnet_has_an_mce_of_100() -> None:
    errors = alexnet_errors()
    assert len(errors) == 75
    scores = corruption_scores(errors)
    overall = scores.pop("")
    # The normalisers are rounded: the means over severities equal them within 2e-6.
    assert overall["mce"].value == pytest.approx(100, abs=1e-3)
    assert overall["mean_error"].value == pytest.approx(
        sum(ALEXNET[name] for name in PAPER) / 15, abs=1e-5
    )
    assert (overall["mce"].n, overall["mce"].unit) == (50_000, "percent")
    assert sorted(scores) == sorted(PAPER)
    for name, score in scores.items():
        assert score["ce"].value == pytest.approx(100, abs=1e-3)
        assert score["mean_error"].value == pytest.approx(ALEXNET[name], abs=3e-6)
        assert score["ce"].low < 100 < score["ce"].high
    clean = pd.Series(np.arange(50_000) < 21_739, index=errors["fog", 1].index)
    # The rounding of the normaliser weighs more against brightness's small rise of 0.13.
    assert relative_mce(errors, clean).value == pytest.approx(100, abs=5e-3)


def test_corruption_error_by_hand() -> None:
    errors = {("fog", s): cell(wrong, 10) for s, wrong in enumerate([1, 2, 3, 4, 5], start=1)}
    fog = corruption_scores(errors)["fog"]
    assert fog["mean_error"].value == pytest.approx(0.3)
    assert fog["ce"].value == pytest.approx(100 * (0.1 + 0.2 + 0.3 + 0.4 + 0.5) / (5 * 0.819324))
    assert (fog["mean_error"].unit, fog["ce"].unit) == ("fraction", "percent")
    assert (fog["mean_error"].n, fog["ce"].higher_is_better) == (10, False)
    assert fog["ce"].low == pytest.approx(100 * fog["mean_error"].low / 0.819324)
    assert fog["ce"].note == ""


def test_overall_is_the_plain_mean_over_corruptions() -> None:
    errors = random_errors(40, 0, PAPER)
    scores = corruption_scores(errors)
    mean_errors = {name: sum(sum(errors[name, s]) / 40 for s in range(1, 6)) / 5 for name in PAPER}
    ces = [100 * error / ALEXNET[name] for name, error in mean_errors.items()]
    assert scores[""]["mean_error"].value == pytest.approx(sum(mean_errors.values()) / 15)
    assert scores[""]["mce"].value == pytest.approx(sum(ces) / 15)
    for name, ce in zip(PAPER, ces, strict=True):
        assert scores[name]["ce"].value == pytest.approx(ce)


def test_interval_resamples_pictures_jointly_over_cells() -> None:
    n = 120
    errors = random_errors(n, 1, PAPER)
    score = corruption_scores(errors)[""]["mce"]
    generator = np.random.default_rng(99)
    arrays = {key: series.to_numpy() for key, series in errors.items()}
    values = []
    for _ in range(800):
        draw = generator.integers(n, size=n)
        ces = [
            100 * np.mean([arrays[name, s][draw].mean() for s in range(1, 6)]) / ALEXNET[name]
            for name in PAPER
        ]
        values.append(np.mean(ces))
    low, high = np.percentile(values, [2.5, 97.5])
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.12 * (high - low))
    # Independent cells would give an interval several times narrower.
    alone = [1.96 * 100 * a.std() / n**0.5 / ALEXNET[name] / 75 for (name, _), a in arrays.items()]
    assert high - low > 3 * 2 * np.sqrt(np.sum(np.square(alone)))


def test_held_out_corruptions_are_scored_but_not_averaged() -> None:
    errors = random_errors(30, 2, PAPER)
    alone = corruption_scores(errors)
    held_out = {(name, s): cell(30, 30) for name in HELD_OUT for s in range(1, 6)}
    scores = corruption_scores(errors | held_out)
    assert scores[""] == alone[""]
    for name in HELD_OUT:
        assert scores[name]["mean_error"].value == 1
        assert scores[name]["ce"].value == pytest.approx(100 / ALEXNET[name])
        assert "re-cropped" in scores[name]["ce"].note
        assert scores[name]["mean_error"].note == ""


def test_missing_cells_leave_no_overall_score() -> None:
    errors = random_errors(20, 3, PAPER)
    del errors["snow", 2], errors["snow", 4], errors["fog", 5]
    scores = corruption_scores(errors)
    for score in (*scores[""].values(), relative_mce(errors, cell(3, 20))):
        assert math.isnan(score.value)
        assert score.note.startswith("3 of the 75 test cells")
    assert "snow" not in scores
    assert "fog" not in scores
    assert len(scores) == 1 + 13


def test_nothing_at_all() -> None:
    scores = corruption_scores({})
    assert list(scores) == [""]
    assert scores[""]["mce"].note.startswith("75 of the 75")


def test_a_corruption_of_ones_own_has_no_corruption_error() -> None:
    scores = corruption_scores({("rain", s): cell(1, 4) for s in range(1, 6)})
    assert list(scores["rain"]) == ["mean_error"]


def test_cells_of_other_pictures_weigh_equally_and_are_resampled_apart() -> None:
    errors = {("fog", s): cell(5, 10) for s in range(1, 6)}
    errors["fog", 3] = cell(0, 4)
    score = corruption_scores(errors)["fog"]["ce"]
    assert score.value == pytest.approx(100 * 0.4 / ALEXNET["fog"])
    assert score.low < score.value < score.high
    assert "different pictures" in score.note


def test_relative_mce_by_hand() -> None:
    errors = {(name, s): cell(5, 10) for name in PAPER for s in range(1, 6)}
    score = relative_mce(errors, cell(2, 10))
    ratios = [(5 * 0.5 - 5 * 0.2) / (5 * ALEXNET[name] - 5 * CLEAN) for name in PAPER]
    assert score.value == pytest.approx(100 * sum(ratios) / 15)
    assert (score.unit, score.higher_is_better, score.n) == ("percent", False, 10)
    assert score.low < score.value < score.high


def test_relative_mce_of_a_model_that_corruptions_do_not_touch() -> None:
    # The same pictures wrong everywhere: exactly 0 in every joint resample.
    errors = {(name, s): cell(5, 10) for name in PAPER for s in range(1, 6)}
    score = relative_mce(errors, cell(5, 10).iloc[::-1])
    assert (score.value, score.low, score.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_relative_mce_with_other_clean_pictures() -> None:
    errors = {(name, s): cell(5, 10) for name in PAPER for s in range(1, 6)}
    score = relative_mce(errors, cell(10, 50))
    assert score.value == pytest.approx(relative_mce(errors, cell(2, 10)).value)
    assert score.low < score.value < score.high
    assert "different pictures" in score.note


def test_errors_of_names_pictures_as_the_clean_ones() -> None:
    def records(folder: str, suffix: str) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "image": [f"{folder}n01/a.{suffix}", f"{folder}n02/b.{suffix}"],
                "label": np.array([0, 1], dtype=np.int16),
                "prediction": np.array([0, 5], dtype=np.int16),
            }
        )

    corrupted, clean = errors_of(records("snow/3/", "JPEG")), errors_of(records("", "png"))
    pd.testing.assert_series_equal(corrupted, clean)
    assert corrupted.to_dict() == {"n01/a": False, "n02/b": True}
    assert corrupted.dtype == bool
