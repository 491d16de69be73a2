import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from oodbench.metrics.diagnostics.error_consistency import error_consistency


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 400))
    first = rng.uniform(size=n) < 0.7
    second = np.where(rng.uniform(size=n) < 0.5, first, rng.uniform(size=n) < 0.4)
    expected = cohen_kappa_score(first, second)
    assert error_consistency(first, second) == pytest.approx(expected, nan_ok=True)


def test_alike_opposed_and_undefined():
    half = np.array([True, False, True, False])
    assert error_consistency(half, half) == 1
    assert error_consistency(half, ~half) == -1
    assert error_consistency(half, np.ones(4, bool)) == 0
    assert np.isnan(error_consistency(np.ones(1, bool), np.ones(1, bool)))
    with pytest.raises(ValueError, match="one length"):
        error_consistency(half, half[:2])
