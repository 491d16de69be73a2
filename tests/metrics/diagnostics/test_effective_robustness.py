import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.special import logit as scipy_logit
from scipy.stats import linregress

from oodbench import reference
from oodbench.metrics.diagnostics.effective_robustness import (
    fit_on_logits,
    inverse_logit,
    logit,
)


def test_logits_are_those_of_scipy():
    shares = np.array([0.0, 1e-9, 0.2, 0.5, 0.987, 1.0])
    np.testing.assert_allclose(logit(shares), scipy_logit(shares), rtol=1e-12)
    odds = np.array([-np.inf, -800.0, -3.0, 0.0, 2.5, 800.0, np.inf])
    np.testing.assert_allclose(inverse_logit(odds), expit(odds), atol=1e-15)


def test_the_standard_models_of_imagenet_testbed_on_v2():
    """The line of Taori et al. against two other least squares, from the file alone."""
    file = Path(reference.__file__).parent / "baselines_testbed.csv"
    rows = [
        row
        for row in csv.DictReader(file.read_text("utf-8").splitlines())
        if row["type"] == "standard"
    ]
    x, y = (
        scipy_logit([float(row[name]) / 100 for row in rows])
        for name in ("imagenet", "imagenet_v2")
    )
    standard = [one for one in reference.baselines() if one.group == "standard"]

    line = fit_on_logits(
        [one.top1["imagenet"] for one in standard], [one.top1["imagenet_v2"] for one in standard]
    )

    assert line is not None
    assert line.n == len(rows) == 87
    slope, intercept = np.polyfit(x, y, 1)
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), rel=1e-10)
    found = linregress(x, y)
    assert (line.slope, line.intercept) == pytest.approx((found.slope, found.intercept), rel=1e-10)
    assert float(line.predicted(0.7613)) == pytest.approx(
        expit(intercept + slope * np.log(0.7613 / 0.2387))
    )


def test_accuracies_without_a_logit_are_left_out():
    x = np.array([0.2, 0.5, 0.8, 0.0, 1.0, 0.6, np.nan])
    y = np.array([0.1, 0.3, 0.7, 0.2, 0.9, 0.0, 0.5])
    line = fit_on_logits(x, y)
    assert line == fit_on_logits(x[:3], y[:3])
    assert line is not None
    assert line.n == 3
    assert line.predicted([0.0, 1.0]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("x", "y"), [([], []), ([0.5, 0.6], [0.1, 0.2]), ([0.5] * 4, [0.1, 0.2, 0.3, 0.4])]
)
def test_no_line_of_too_little(x, y):
    assert fit_on_logits(x, y) is None


def test_arrays_of_two_lengths():
    with pytest.raises(ValueError, match="one length"):
        fit_on_logits([0.5, 0.6], [0.5])
