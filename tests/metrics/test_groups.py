import numpy as np

from oodbench.metrics.groups import best_group


def test_group_of_the_best() -> None:
    generator = np.random.default_rng(0)
    best = generator.random(2000) < 0.8
    near, far = best.copy(), best.copy()
    near[np.flatnonzero(best)[:3]] = False
    far[np.flatnonzero(best)[:200]] = False
    runs = {"far": far, "near": near, "best": best}
    assert best_group(runs) == ["best", "near"]
    assert best_group(runs, higher_is_better=False) == ["far"]
    assert best_group({"one": best}) == ["one"]
    assert best_group({}) == []


def test_many_runs_need_a_smaller_p_value() -> None:
    """Seven pictures of difference, p = 0.016, are told apart alone, and not among twenty runs."""
    best = np.ones(500, bool)
    less = best.copy()
    less[:7] = False
    assert best_group({"best": best, "less": less}) == ["best"]
    many = {f"{number}": less for number in range(20)}
    assert len(best_group({"best": best, **many})) == 21
