import math

import numpy as np
import pandas as pd
import pytest
from published_names import CATEGORIES
from scipy import stats

from oodbench.metrics.score import Score
from oodbench.metrics.shape_bias import shape_bias


def records_of(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Records of (shape, texture, decision by max, decision by mean); bicycle on bicycle once."""
    frame = pd.DataFrame(rows, columns=["shape", "texture", "decision_max", "decision_mean"])
    same = frame["shape"] == frame["texture"]
    bicycles = same & (frame["shape"] == "bicycle")
    frame["published_set"] = ~same | (bicycles & ~bicycles.shift(fill_value=False).cummax())
    for column in ("decision_max", "decision_mean"):
        frame[column] = frame[column].map(CATEGORIES.index).astype(np.int8)
    return frame


def counts(shape: int, texture: int, other: int) -> list[tuple[str, str, str, str]]:
    """Conflicts whose decisions under both rules have these counts, spread over the categories."""
    rows = []
    for i, kind in enumerate(["shape"] * shape + ["texture"] * texture + ["other"] * other):
        cues = {"shape": CATEGORIES[i % 16], "texture": CATEGORIES[(i + 1 + i % 13) % 16]}
        cues["other"] = next(c for c in CATEGORIES if c not in cues.values())
        rows.append((cues["shape"], cues["texture"], cues[kind], cues[kind]))
    return rows


def interval(score: Score) -> tuple[float, float]:
    return score.low, score.high


def wilson(successes: int, n: int) -> object:
    reference = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return pytest.approx((reference.low, reference.high))


def test_resnet50_of_the_published_run() -> None:
    # 162 shape and 572 texture decisions; the extra picture, called a bottle, is neither.
    rows = [*counts(162, 572, 466), ("bicycle", "bicycle", "bottle", "bicycle")]
    scores = shape_bias(records_of(rows))[""]
    assert scores["shape_bias"].value == pytest.approx(0.22070844686648503)
    assert scores["texture_bias"].value == pytest.approx(1 - 0.22070844686648503)
    assert scores["fraction_correct"].value == pytest.approx(734 / 1201)
    assert scores["fraction_correct_mean_rule"].value == pytest.approx(0.6116666666666667)
    assert interval(scores["shape_bias"]) == wilson(162, 734)
    assert interval(scores["texture_bias"]) == wilson(572, 734)
    assert interval(scores["fraction_correct"]) == wilson(734, 1201)
    assert (scores["shape_bias"].n, scores["fraction_correct"].n) == (734, 1201)
    assert scores["fraction_correct_mean_rule"].n == 1200
    assert scores["texture_bias"].higher_is_better is None


def test_humans_pooled() -> None:
    scores = shape_bias(records_of(counts(9236, 398, 2366)))[""]
    for rule in ("shape_bias", "shape_bias_mean_rule"):
        assert scores[rule].value == pytest.approx(0.9586879800705833)
        assert scores[rule].n == 9634
    assert scores["fraction_correct"].value == pytest.approx(0.8028333333333333)


def test_the_picture_whose_cues_agree_counts_twice_and_only_in_the_published_rule() -> None:
    rows = [
        ("cat", "dog", "cat", "dog"),
        ("cat", "dog", "dog", "dog"),
        ("bicycle", "bicycle", "bicycle", "bicycle"),
        ("bear", "bear", "bear", "bear"),  # in neither set
    ]
    scores = shape_bias(records_of(rows))[""]
    assert (scores["shape_bias"].value, scores["shape_bias"].n) == (0.5, 4)
    assert (scores["fraction_correct"].value, scores["fraction_correct"].n) == (4 / 3, 3)
    assert interval(scores["fraction_correct"]) == wilson(3, 3)
    mean_rule = scores["shape_bias_mean_rule"]
    assert (mean_rule.value, mean_rule.n) == (0, 2)
    assert scores["fraction_correct_mean_rule"].value == 1


def test_the_two_rules_read_their_own_decisions() -> None:
    rows = [("cat", "dog", "cat", "dog")] * 3 + [("cat", "dog", "dog", "oven")]
    scores = shape_bias(records_of(rows))[""]
    assert scores["shape_bias"].value == 0.75
    assert scores["shape_bias_mean_rule"].value == 0
    assert (scores["shape_bias"].n, scores["shape_bias_mean_rule"].n) == (4, 3)


def test_categories_are_those_of_the_shape() -> None:
    rows = [
        ("cat", "dog", "cat", "cat"),
        ("cat", "oven", "oven", "cat"),
        ("dog", "cat", "cat", "bear"),
        ("dog", "cat", "cat", "dog"),
    ]
    scores = shape_bias(records_of(rows))
    assert list(scores) == ["", "cat", "dog"]
    assert scores["cat"]["shape_bias"].value == 0.5
    assert scores["cat"]["shape_bias_mean_rule"].value == 1
    assert scores["dog"]["shape_bias"].value == 0
    assert (scores["dog"]["shape_bias_mean_rule"].value, scores["dog"]["shape_bias"].n) == (1, 2)
    assert interval(scores["dog"]["shape_bias_mean_rule"]) == wilson(1, 1)


def test_each_category_of_a_full_set_agrees_with_a_loop() -> None:
    generator = np.random.default_rng(0)
    rows = [
        (shape, texture, *generator.choice([shape, texture, "knife"], 2).tolist())
        for shape in CATEGORIES
        for texture in CATEGORIES
        for _ in range(5)
    ]
    scores = shape_bias(records_of(rows))
    assert list(scores) == ["", *CATEGORIES]
    for category in CATEGORIES:
        shape = sum(s == category != t and d == s for s, t, _, d in rows)
        texture = sum(s == category != t and d == t for s, t, _, d in rows)
        found = scores[category]["shape_bias_mean_rule"]
        assert found.value == pytest.approx(shape / (shape + texture))
        assert interval(found) == wilson(shape, shape + texture)


def test_no_decision_for_either_cue_is_no_bias() -> None:
    scores = shape_bias(records_of([("cat", "dog", "oven", "oven")]))
    for name in ("shape_bias", "shape_bias_mean_rule", "texture_bias"):
        assert math.isnan(scores[""][name].value)
        assert math.isnan(scores[""][name].low)
        assert "no picture was called" in scores[""][name].note
    assert scores[""]["fraction_correct"].value == 0
    assert math.isnan(scores["cat"]["shape_bias"].value)


def test_without_a_picture_of_the_set_there_is_no_fraction() -> None:
    scores = shape_bias(records_of([("cat", "cat", "cat", "cat")]))[""]
    assert math.isnan(scores["fraction_correct"].value)
    assert scores["fraction_correct_mean_rule"].note == "no pictures"
