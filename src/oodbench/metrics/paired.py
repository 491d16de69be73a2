"""Two runs on the same pictures: how far apart they are, and whether chance explains it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.intervals import DRAWS, NO_INTERVAL, Interval, bootstrap_mean

_SEED = 0


@dataclass(frozen=True)
class Difference:
    """The second rate minus the first one, on the same pictures.

    Attributes:
        value: a fraction in [-1, 1].
        low, high: limits of its 95 % interval, a paired percentile bootstrap over pictures; NaN for
            a single picture.
        p_value: two-sided, in [0, 1]: of the exact McNemar test, or what made it says otherwise.
        only_first, only_second: how many pictures only the one got right, and only the other.
        n: number of pictures.
    """

    value: float
    low: float
    high: float
    p_value: float
    only_first: int
    only_second: int
    n: int


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """How two rates on the same pictures differ.

    Args:
        first, second: bool `(n,)`, n at least 1, the same picture at the same position.

    Raises:
        ValueError: the arrays are empty, not bool, or differ in shape.
    """
    for flags in (first, second):
        if flags.dtype != np.bool_ or flags.ndim != 1 or flags.shape != first.shape:
            raise ValueError(f"expected two bool arrays (n,), found {flags.dtype} {flags.shape}")
    n = len(first)
    if n == 0:
        raise ValueError("expected at least one picture")
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    low, high = _interval(only_first, only_second, n)
    return Difference(
        value=(only_second - only_first) / n,
        low=low,
        high=high,
        p_value=mcnemar(only_first, only_second),
        only_first=only_first,
        only_second=only_second,
        n=n,
    )


def difference_of_means(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """How two runs differ that saw each picture several times, such as under 75 corruptions.

    What was made of one picture is not independent, so that pictures are counted and not files: the
    interval resamples pictures, and the p-value is that of a paired t-test (Student 1908).

    Args:
        first, second: float64 `(n,)`, n at least 1: the share in [0, 1] of a picture's files that
            the run got right, the same picture at the same position.

    Returns:
        `only_first` and `only_second` count pictures of which the one got more files right, and the
        other.

    Raises:
        ValueError: the arrays are empty or differ in shape.
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"expected two arrays (n,), found {first.shape} and {second.shape}")
    change = second - first
    low, high = bootstrap_mean(change)
    return Difference(
        value=float(change.mean()),
        low=low,
        high=high,
        p_value=_paired_t_test(change),
        only_first=int((change < 0).sum()),
        only_second=int((change > 0).sum()),
        n=len(change),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """p-value of the exact two-sided McNemar test (McNemar 1947): binomial with p = 1/2.

    Args:
        only_first, only_second: numbers of pictures that only the one got right, and only the
            other; what both got right or wrong says nothing.

    Returns:
        In [0, 1]; 1 where the runs never differ.

    Raises:
        ValueError: a number is negative.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"expected counts, found {only_first} and {only_second}")
    if only_first == only_second:
        return 1.0
    from scipy.special import bdtr  # a tenth of a second, which only comparisons pay

    # Both tails alike: the distribution is symmetric. scipy.stats.binomtest is 20 times slower.
    return float(min(1.0, 2 * bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979): at most 5 % of tables have a false finding.

    Args:
        p_values: in [0, 1], in any order.

    Returns:
        Adjusted ones in [0, 1], in the same order; none is smaller than it was.

    Raises:
        ValueError: one is outside [0, 1].
    """
    given = np.asarray(p_values, np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"expected p-values in [0, 1], found {list(p_values)}")
    order = np.argsort(given, kind="stable")
    scaled = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    found: list[float] = adjusted.tolist()
    return found


def _paired_t_test(change: NDArray[np.float64]) -> float:
    """Two-sided; 1 where no picture changes, and where one picture says nothing of the spread."""
    if len(change) < 2 or not change.any():
        return 1.0
    if np.ptp(change) == 0:
        return 0.0
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(change, 0.0).pvalue)


def _interval(only_first: int, only_second: int, n: int) -> Interval:
    """Of the mean of `n` values, of which so many are -1 and 1, and all others 0.

    A resample is known by how often it drew each value, which is multinomial, so that no picture
    has to be drawn.
    """
    if n < 2:
        return NO_INTERVAL
    shares = np.array([only_first, only_second, n - only_first - only_second]) / n
    drawn = np.random.default_rng(_SEED).multinomial(n, shares, size=DRAWS)
    low, high = np.percentile((drawn[:, 1] - drawn[:, 0]) / n, [2.5, 97.5])
    return Interval(float(low), float(high))
