import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from oodbench.metrics.paired import difference, holm, mcnemar


def sample(n: int, seed: int, second: float) -> tuple[np.ndarray, np.ndarray]:
    """Two runs that are right on 60 % and on about `second` of the pictures, and often together."""
    generator = np.random.default_rng(seed)
    hardness = generator.random(n)
    noise = generator.normal(scale=0.1, size=(2, n))
    return hardness + noise[0] < 0.6, hardness + noise[1] < second


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [(0, 0), (1, 0), (0, 5), (5, 5), (3, 12), (40, 60), (0, 30), (501, 399), (7, 8)],
)
def test_mcnemar_is_the_sum_of_binomial_terms(only_first: int, only_second: int) -> None:
    total = only_first + only_second
    tail = sum(math.comb(total, k) for k in range(min(only_first, only_second) + 1))
    exact = min(Fraction(2 * tail, 2**total), Fraction(1))
    assert mcnemar(only_first, only_second) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("counts", [(3, 12), (40, 60), (0, 30), (8, 7)])
def test_mcnemar_is_statsmodels(counts: tuple[int, int]) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    found = tables.mcnemar([[50, counts[0]], [counts[1], 9]], exact=True)
    assert mcnemar(*counts) == pytest.approx(found.pvalue, rel=1e-9)


def test_counts_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="expected counts"):
        mcnemar(-1, 4)


@pytest.mark.parametrize("p_values", [[0.01, 0.04, 0.03, 0.2], [0.5, 0.5], [1.0], [0.0, 1.0], []])
def test_holm_by_its_definition(p_values: list[float]) -> None:
    """Step by step, as Holm 1979 writes it: the smallest times all, the next times all but one."""
    ordered = sorted(range(len(p_values)), key=lambda k: p_values[k])
    expected = [0.0] * len(p_values)
    largest = 0.0
    for place, number in enumerate(ordered):
        largest = max(largest, min(1.0, p_values[number] * (len(p_values) - place)))
        expected[number] = largest
    assert holm(p_values) == pytest.approx(expected)


def test_holm_is_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(0).random(50) ** 3
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values.tolist()) == pytest.approx(expected.tolist())


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="expected p-values"):
        holm([0.2, float("nan")])


def test_difference_counts_by_hand() -> None:
    first = np.array([True, True, False, False, True, False])
    second = np.array([True, False, True, True, True, False])
    found = difference(first, second)
    assert (found.only_first, found.only_second, found.n) == (1, 2, 6)
    assert found.value == pytest.approx(1 / 6)
    assert found.p_value == 1.0
    assert found.low < found.value < found.high


@pytest.mark.parametrize("seed", range(3))
def test_interval_is_that_of_resampled_pictures(seed: int) -> None:
    """scipy's bootstrap draws pictures one by one; its limits have chance in them as ours have."""
    first, second = sample(800, seed, 0.65)
    values = second.astype(float) - first.astype(float)
    drawn = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(seed)
    )
    found = difference(first, second)
    assert found.low == pytest.approx(drawn.confidence_interval.low, abs=0.004)
    assert found.high == pytest.approx(drawn.confidence_interval.high, abs=0.004)


def test_interval_covers_the_true_difference() -> None:
    """Between 93 and 97 % of simulated pairs of runs with 1,000 pictures."""
    generator = np.random.default_rng(1)
    covered, n_pairs = 0, 2000
    shares = [0.08, 0.12, 0.8]
    for _ in range(n_pairs):
        only_first, only_second, _ = generator.multinomial(1000, shares)
        first = np.zeros(1000, bool)
        second = np.zeros(1000, bool)
        first[:only_first] = True
        second[only_first : only_first + only_second] = True
        found = difference(first, second)
        covered += found.low <= 0.12 - 0.08 <= found.high
    assert 0.93 <= covered / n_pairs <= 0.97


@pytest.mark.parametrize("right", [True, False])
def test_runs_that_agree_on_all_pictures(right: bool) -> None:
    flags = np.full(50, right)
    found = difference(flags, flags)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_one_picture_has_no_interval() -> None:
    found = difference(np.array([True]), np.array([False]))
    assert (found.value, found.p_value) == (-1, 1)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros(0, bool), np.zeros(0, bool)),
        (np.zeros(3, bool), np.zeros(4, bool)),
        (np.zeros(3), np.zeros(3)),
    ],
)
def test_what_cannot_be_compared(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        difference(first, second)
