import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from torch import tensor
from torchmetrics.functional.classification import binary_calibration_error

from oodbench.metrics.confidence import expected_calibration_error
from oodbench.metrics.diagnostics.reliability import reliability


def random_pictures(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(size=n).astype(np.float32)
    return confidence, rng.uniform(size=n) < confidence**2


def test_bins_are_those_of_scikit_learn():
    confidence, correct = random_pictures(4000)
    found = reliability([(confidence[:1500], correct[:1500]), (confidence[1500:], correct[1500:])])
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    assert sum(found.n) == 4000
    np.testing.assert_allclose(np.array(found.correct) / found.n, accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.confidence, mean, rtol=1e-6)


def test_calibration_error_is_that_of_the_pictures_and_of_torchmetrics():
    confidence, correct = random_pictures(1000, 1)
    found = reliability([(confidence, correct)]).calibration_error
    assert found == pytest.approx(expected_calibration_error(confidence, correct))
    other = binary_calibration_error(tensor(confidence), tensor(correct).int(), n_bins=15)
    assert found == pytest.approx(float(other), abs=1e-6)


@pytest.mark.parametrize("right", [True, False])
def test_one_picture_at_an_end(right):
    for confidence, place in ((0.0, 0), (1.0, 14)):
        found = reliability([(np.array([confidence], np.float32), np.array([right]))])
        assert [n > 0 for n in found.n].index(True) == place
        assert found.correct[place] == int(right)
        assert found.confidence[place] == confidence
        assert found.confidence.count(None) == 14
        assert found.calibration_error == abs(right - confidence)
