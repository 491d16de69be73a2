import math

import numpy as np
import pytest
from scipy import stats

from oodbench.metrics.intervals import (
    bootstrap,
    bootstrap_mean,
    bootstrap_together,
    rate,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 7500), (7500, 7500), (3, 10), (162, 734), (2, 25000)]
)
def test_wilson_is_that_of_scipy(successes: int, n: int) -> None:
    reference = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_by_hand() -> None:
    # p = 1/2, n = 4: centre 1/2, half width z / (1 + z^2/4) * sqrt(1/16 + z^2/64), z^2 = 3.841459.
    half = 1.959964 / 1.9603648 * (0.0625 + 0.0600228) ** 0.5
    assert wilson(2, 4) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_wilson_ends_are_exact() -> None:
    for n in range(1, 400):
        assert wilson(0, n).low == 0.0
        assert wilson(n, n).high == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"found {successes} of {n}"):
        wilson(successes, n)


def test_rate_counts_and_keeps_what_it_is_told() -> None:
    score = rate(np.array([True, False, False, True, False]), higher_is_better=False, note="few")
    reference = stats.binomtest(2, 5).proportion_ci(0.95, method="wilson")
    assert (score.value, score.n, score.unit) == (0.4, 5, "fraction")
    assert (score.low, score.high) == pytest.approx((reference.low, reference.high))
    assert (score.higher_is_better, score.note) == (False, "few")


@pytest.mark.parametrize(
    "flags", [np.array([], dtype=bool), np.array([1, 0]), np.array([[True], [False]])]
)
def test_rate_refuses_what_is_no_list_of_flags(flags: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        rate(flags)


def test_bootstrap_of_the_mean_agrees_with_scipy_and_the_normal_theory() -> None:
    values = np.random.default_rng(3).exponential(size=400)
    found = bootstrap_mean(values)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1, batch=500
    ).confidence_interval
    deviation = values.std() / 20
    # 1,000 draws place a 2.5 % quantile to about 0.085 standard deviations.
    assert found == pytest.approx((reference.low, reference.high), abs=0.35 * deviation)
    width = found.high - found.low
    assert width == pytest.approx(2 * 1.96 * deviation, rel=0.12)


def test_every_call_sees_the_same_thousand_resamples() -> None:
    seen: list[tuple[int, ...]] = []
    for _ in range(2):
        bootstrap(lambda draw: float(seen.append(tuple(draw)) or 0), 5)
    assert seen[:1000] == seen[1000:]
    assert len(set(seen)) > 800  # of 5^5 = 3,125
    assert {len(draw) for draw in seen} == {5}
    assert set().union(*seen) == set(range(5))


def test_mean_and_general_bootstrap_are_one() -> None:
    values = np.random.default_rng(0).normal(size=60)
    assert bootstrap_mean(values) == bootstrap(lambda draw: float(np.mean(values[draw])), 60)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_units_have_no_interval(n: int) -> None:
    assert np.isnan(bootstrap_mean(np.ones(n))).all()
    assert np.isnan(bootstrap(lambda draw: 1.0, n)).all()


def test_constant_values_have_a_point_as_interval() -> None:
    assert bootstrap_mean(np.full(9, 0.25)) == (0.25, 0.25)


def test_several_statistics_at_once_are_each_as_by_itself() -> None:
    values = np.random.default_rng(3).normal(size=(50, 2))
    together = bootstrap_together(lambda draw: values[draw].mean(axis=0), 50)
    for column, interval in zip(values.T, together, strict=True):
        alone = bootstrap(lambda draw, column=column: float(column[draw].mean()), 50)
        assert interval == pytest.approx(alone)


def test_several_statistics_of_one_unit_have_no_intervals() -> None:
    found = bootstrap_together(lambda draw: np.zeros(3) + draw.sum(), 1)
    assert all(math.isnan(limit) for interval in found for limit in interval)
    assert len(found) == 3
