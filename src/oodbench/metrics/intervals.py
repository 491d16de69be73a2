"""95 % intervals: Wilson for rates, the percentile bootstrap for everything else."""

from collections.abc import Callable, Iterator, Sequence
from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.score import Score

DRAWS = 1000
"""Resamples of a bootstrap."""

_Z = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
_SEED = 0


class Interval(NamedTuple):
    """Limits of a 95 % interval; NaN where none is defined."""

    low: float
    high: float


NO_INTERVAL = Interval(nan, nan)


def wilson(successes: int, n: int) -> Interval:
    """Wilson's 95 % score interval of a rate (Wilson 1927), without continuity correction.

    Args:
        successes: how many of the `n` trials succeeded, 0..n.
        n: number of trials, at least 1.

    Returns:
        Limits in [0, 1]; exactly 0 (1) where no (every) trial succeeded.

    Raises:
        ValueError: `n` is not positive or `successes` is not in 0..n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1, found {successes} of {n}")
    share = successes / n
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    # The ends are set, not computed: rounding would leave them at about 1e-17.
    return Interval(
        0.0 if successes == 0 else centre - half,
        1.0 if successes == n else centre + half,
    )


def rate(
    flags: NDArray[np.bool_], *, higher_is_better: bool | None = True, note: str = ""
) -> Score:
    """Share of True as a Score (unit "fraction") with its Wilson interval.

    Args:
        flags: bool `(n,)`, n at least 1.
        higher_is_better: as in `Score`.
        note: as in `Score`.

    Raises:
        ValueError: `flags` is empty, not bool or not one-dimensional.
    """
    if flags.dtype != np.bool_ or flags.ndim != 1:
        raise ValueError(f"expected bool flags (n,), found {flags.dtype} {flags.shape}")
    n, successes = len(flags), int(flags.sum())
    low, high = wilson(successes, n)
    return Score(successes / n, low, high, n, "fraction", higher_is_better, note)


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], n: int) -> Interval:
    """Percentile bootstrap interval (Efron 1979) of any statistic of `n` units.

    Every call with the same `n` uses the same resamples, so intervals are reproducible and those of
    two statistics of the same units belong together. One resample is in memory at a time.

    Args:
        statistic: takes positions int64 `(n,)` in 0..n-1, drawn with replacement, gives the value.
        n: number of units (images, or clips in ImageNet-P).

    Returns:
        The 2.5 and 97.5 percentiles over 1,000 resamples; (NaN, NaN) for n < 2, where resampling
        says nothing, or where the statistic is NaN on a resample.
    """
    if n < 2:
        return NO_INTERVAL
    values = np.fromiter((statistic(draw) for draw in _draws(n)), np.float64, DRAWS)
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))


def bootstrap_together(
    statistics: Callable[[NDArray[np.int64]], NDArray[np.float64]], n: int
) -> list[Interval]:
    """As `bootstrap`, for several statistics that share the work of a resample.

    Args:
        statistics: takes positions as there, gives the k values, float64 `(k,)`.
        n: number of units.

    Returns:
        k intervals, each as `bootstrap` would give it.
    """
    if n < 2:
        return [NO_INTERVAL] * len(statistics(np.arange(n)))
    values = np.stack([statistics(draw) for draw in _draws(n)])
    low, high = np.percentile(values, [2.5, 97.5], axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def bootstrap_mean(values: NDArray[np.float64]) -> Interval:
    """Percentile bootstrap interval of the mean of `values`, float64 `(n,)`; see `bootstrap`."""
    return bootstrap(lambda draw: float(values[draw].mean()), len(values))


def bootstrap_strata(strata: Sequence[NDArray[np.float64]]) -> Interval:
    """Percentile bootstrap interval of a sum over units of several kinds, each of a fixed number.

    Each stratum is resampled by itself (Davison and Hinkley 1997, section 3.2). A unit that is
    alone in its stratum has nothing to be exchanged with, and stays.

    Args:
        strata: by stratum, what each of its units adds to the sum, float64 `(n,)`.

    Returns:
        The 2.5 and 97.5 percentiles over 1,000 resamples; (NaN, NaN) where more than one unit in a
        hundred is alone.
    """
    n_alone = sum(len(values) for values in strata if len(values) < 2)
    if 100 * n_alone > sum(map(len, strata)):
        return NO_INTERVAL
    generator = np.random.default_rng(_SEED)
    sums = np.zeros(DRAWS)
    for values in strata:
        for draw in range(DRAWS):
            sums[draw] += values[generator.integers(len(values), size=len(values))].sum()
    low, high = np.percentile(sums, [2.5, 97.5])
    return Interval(float(low), float(high))


def _draws(n: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(_SEED)
    return (generator.integers(n, size=n) for _ in range(DRAWS))
