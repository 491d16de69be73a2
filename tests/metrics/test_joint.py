import math

import numpy as np
import pandas as pd
import pytest

from oodbench.metrics.joint import Term, source_names, weighted_sum


def series(values: list[float], names: str) -> pd.Series:
    return pd.Series(values, index=list(names))


def test_value_by_hand() -> None:
    terms = [Term(2, series([1, 0, 0], "abc")), Term(-1, series([0.5, 0.5, 0.5], "abc"))]
    score = weighted_sum(terms, unit="percent", note="seen")
    assert score.value == pytest.approx(2 / 3 - 0.5)
    assert (score.n, score.unit, score.higher_is_better) == (3, "percent", False)
    assert score.note == "seen"


def test_terms_that_cancel_in_each_picture_have_a_point_as_interval() -> None:
    # Only a joint resampling sees that a picture's two values always sum to 1.
    flags = np.random.default_rng(0).random(200) < 0.4
    names = [f"p{i}" for i in range(200)]
    terms = [Term(1, pd.Series(flags, index=names)), Term(1, pd.Series(~flags, index=names))]
    score = weighted_sum(terms, unit="fraction")
    assert (score.value, score.low, score.high) == (1, 1, 1)


def test_pictures_are_matched_by_name_and_not_by_position() -> None:
    first, second = series([1, 0, 0, 0, 1], "abcde"), series([1, 0, 0, 0, 1], "badec")
    score = weighted_sum([Term(1, first), Term(1, second)], unit="fraction")
    # By name the sums are a 1, b 1, c 1, d 0, e 1; by position 2, 0, 0, 0, 2.
    assert score.value == pytest.approx(4 / 5)
    assert (score.low, score.high) == pytest.approx((0.4, 1))


def names_of(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(n)]


def test_parts_of_other_pictures_are_strata() -> None:
    """Two independent means: the variance of their sum is the sum of their variances."""
    generator = np.random.default_rng(2)
    first, second = generator.random(600) < 0.3, generator.normal(size=400)
    terms = [
        Term(2, pd.Series(first, index=names_of("a", 600))),
        Term(1, pd.Series(second, index=names_of("b", 400))),
    ]
    score = weighted_sum(terms, unit="fraction")
    assert score.value == pytest.approx(2 * first.mean() + second.mean())
    error = np.sqrt(4 * first.var() / 600 + second.var() / 400)
    expected = (score.value - 1.96 * error, score.value + 1.96 * error)
    assert (score.low, score.high) == pytest.approx(expected, abs=0.15 * error)
    assert score.n == 1000
    assert score.note == "its parts show different pictures"


def test_a_picture_that_one_part_lacks_changes_little() -> None:
    """Of twins that cancel, so that pictures still have to be drawn together."""
    flags = np.random.default_rng(0).random(300) < 0.4
    names = names_of("p", 300)
    terms = [
        Term(1, pd.Series(flags, index=names)),
        Term(1, pd.Series(~flags[1:], index=names[1:])),
    ]
    score = weighted_sum(terms, unit="fraction", note="seen")
    assert score.high - score.low < 0.01
    assert score.low <= score.value <= score.high
    assert score.n == 300
    assert score.note == "seen; its parts show different pictures"


@pytest.mark.parametrize("names", ["ab", "abcd", "abx"])
def test_pictures_that_are_alone_leave_a_value_without_interval(names: str) -> None:
    other = pd.Series(np.ones(len(names)), index=list(names))
    score = weighted_sum([Term(1, series([1, 0, 0], "abc")), Term(1, other)], unit="fraction")
    assert score.value == pytest.approx(1 + 1 / 3)
    assert math.isnan(score.low)
    assert math.isnan(score.high)
    assert score.note == "no interval: its parts show different pictures"
    assert score.n == len(set("abc") | set(names))


def test_a_picture_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="several for b"):
        weighted_sum([Term(1, series([1, 0, 0], "abb"))], unit="fraction")


def test_source_names_agree_across_benchmarks() -> None:
    paths = [
        "val/n01440764/ILSVRC2012_val_00000293.JPEG",
        "gaussian_noise/3/n01440764/ILSVRC2012_val_00000293.JPEG",
        "n01440764/ILSVRC2012_val_00000293.mp4",
    ]
    assert set(source_names(paths)) == {"n01440764/ILSVRC2012_val_00000293"}
    assert source_names(["a.b/c.d.png", "bare.png", "x/none"]) == ["a.b/c.d", "bare", "x/none"]
