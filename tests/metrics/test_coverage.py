"""How often 95 % intervals hold the truth, by simulation."""

import numpy as np
import pytest
from scipy import stats

from oodbench.metrics.intervals import DRAWS, bootstrap_mean, wilson

N = 1000
REPEATS = 4000


def test_wilson_holds_the_rate_95_times_in_100() -> None:
    """Of all counts that a rate can give, those whose interval holds it, weighed by probability."""
    covered = []
    for n in (100, 150, 400, 1000):
        limits = np.array([wilson(count, n) for count in range(n + 1)])
        for p in np.linspace(0.05, 0.95, 181):
            holds = (limits[:, 0] <= p) & (p <= limits[:, 1])
            covered.append(stats.binom.pmf(np.arange(n + 1), n, p)[holds].sum())
    assert 0.945 <= np.mean(covered) <= 0.96
    assert min(covered) >= 0.92


def test_wilson_by_drawn_rates() -> None:
    generator = np.random.default_rng(0)
    for p in (0.05, 0.3, 0.8):
        counts = generator.binomial(500, p, REPEATS)
        limits = np.array([wilson(int(count), 500) for count in counts])
        assert 0.93 <= ((limits[:, 0] <= p) & (p <= limits[:, 1])).mean() <= 0.97


@pytest.mark.parametrize("kind", ["skewed", "shares of five", "rare"])
def test_bootstrap_of_a_mean_holds_it_95_times_in_100(kind: str) -> None:
    """Such as the mean over pictures of what mCE and mFR add up."""
    generator = np.random.default_rng(1)
    samples, mean = {
        "skewed": (generator.exponential(size=(N, REPEATS)), 1.0),
        "shares of five": (generator.binomial(5, 0.3, (N, REPEATS)) / 5, 0.3),
        "rare": ((generator.random((N, REPEATS)) < 0.05).astype(float), 0.05),
    }[kind]
    drawn = np.random.default_rng(0)
    counts = np.stack(
        [np.bincount(drawn.integers(N, size=N), minlength=N) for _ in range(DRAWS)]
    ).astype(np.float32)
    means = counts @ samples.astype(np.float32) / N
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    assert (low[7], high[7]) == pytest.approx(bootstrap_mean(samples[:, 7]), rel=1e-5)
    assert 0.93 <= ((low <= mean) & (mean <= high)).mean() <= 0.97
