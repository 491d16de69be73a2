import numpy as np
import pytest
from scipy import stats

from oodbench.metrics.groups import best_group, best_group_by_intervals
from oodbench.metrics.score import Score


def flags_of(right: np.ndarray) -> np.ndarray:
    return right.astype(np.int8)


def test_group_of_the_best() -> None:
    generator = np.random.default_rng(0)
    best = flags_of(generator.random(2000) < 0.8)
    near, far = best.copy(), best.copy()
    near[np.flatnonzero(best)[:3]] = 0
    far[np.flatnonzero(best)[:200]] = 0
    runs = {"far": far, "near": near, "best": best}
    assert best_group(runs) == ["best", "near"]
    assert best_group(runs, higher_is_better=False) == ["far"]
    assert best_group({"one": best}) == ["one"]
    assert best_group({}) == []


def test_many_runs_need_a_smaller_p_value() -> None:
    """Seven pictures of difference, p = 0.016, are told apart alone, and not among twenty runs."""
    best = np.ones(500, np.int8)
    less = best.copy()
    less[:7] = 0
    assert best_group({"best": best, "less": less}) == ["best"]
    many = {f"{number}": less for number in range(20)}
    assert len(best_group({"best": best, **many})) == 21


def test_pictures_that_a_run_has_not_do_not_count() -> None:
    best = np.ones(500, np.int8)
    part = np.full(500, -1, np.int8)
    part[:5] = [1, 1, 1, 1, 0]
    assert best_group({"best": best, "part": part}) == ["best", "part"]
    for runs in ({"none": np.full(3, -1, np.int8)}, {"a": best, "b": best[:3]}):
        with pytest.raises(ValueError, match="expected"):
            best_group(runs)


def scored(value: float, half: float) -> Score:
    return Score(value, value - half, value + half, 100)


def test_intervals_are_a_z_test() -> None:
    """Standard errors 0.05 and 0.05: a difference of 0.14 has p = 0.048, one of 0.13 p = 0.066."""
    half = 0.05 * 1.959964
    error = 0.05 * np.sqrt(2)
    assert 2 * stats.norm.sf(0.14 / error) < 0.05 < 2 * stats.norm.sf(0.13 / error)
    assert best_group_by_intervals({"a": scored(0.5, half), "b": scored(0.64, half)}) == ["b"]
    pair = {"a": scored(0.5, half), "b": scored(0.63, half)}
    assert best_group_by_intervals(pair) == ["b", "a"]
    assert best_group_by_intervals(pair, higher_is_better=False) == ["a", "b"]


def test_scores_without_spread() -> None:
    unknown = Score(0.1, np.nan, np.nan, 1)
    assert best_group_by_intervals({"a": scored(0.5, 0.1), "b": unknown}) == ["a", "b"]
    exact = {"a": scored(0.5, 0), "b": scored(0.4, 0), "c": scored(0.5, 0)}
    assert best_group_by_intervals(exact) == ["a", "c"]
    assert best_group_by_intervals({}) == []
