import numpy as np
import pytest

from oodbench.metrics.diagnostics.radius_curve import radius_curve


@pytest.mark.parametrize("n", [1, 5, 400])
def test_every_point_is_that_of_counting(n):
    rng = np.random.default_rng(n)
    distance = rng.choice([0.0, 0.01, 0.02, *rng.uniform(size=n)], n).astype(np.float32)
    broken, wrong = rng.uniform(size=n) < 0.8, rng.uniform(size=n) < 0.3
    found = radius_curve("l2", distance, broken, wrong)
    assert len(found.eps) <= 101
    assert found.eps[0] == 0
    for eps, accuracy in zip(found.eps, found.accuracy, strict=True):
        resists = [
            not bad and not (lost and float(far) <= eps)
            for far, lost, bad in zip(distance, broken, wrong, strict=True)
        ]
        assert accuracy == pytest.approx(sum(resists) / n)


def test_nothing_is_broken():
    found = radius_curve("linf", np.ones(3), np.zeros(3, bool), np.array([True, False, False]))
    assert (found.eps, found.accuracy) == ([0.0], [pytest.approx(2 / 3)])
