import numpy as np
import pytest
from scipy import stats

from oodbench.data.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise

GREY = np.full((200, 200, 3), 128, np.uint8)


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_gaussian_noise_has_its_standard_deviation() -> None:
    change = gaussian_noise(GREY, generator(), std=0.08) - 128.0 + 0.5  # truncation takes 0.5
    assert change.std() == pytest.approx(0.08 * 255, rel=0.01)
    assert change.mean() == pytest.approx(0, abs=0.2)
    channels = change.reshape(-1, 3).T
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 0.02


def test_shot_noise_is_a_poisson_count_of_photons() -> None:
    photons = 12
    noisy = shot_noise(GREY, generator(), photons=photons)
    counts = np.round(noisy / 255 * photons)
    expected = stats.poisson(128 / 255 * photons)
    assert np.abs(noisy - np.floor(counts * 255 / photons)).max() <= 1
    shares = [(counts == k).mean() for k in range(photons)]
    np.testing.assert_allclose(shares, expected.pmf(range(photons)), atol=0.006)
    assert (noisy == 255).mean() == pytest.approx(expected.sf(photons - 1), abs=0.006)


def test_shot_noise_of_black_is_black() -> None:
    assert not shot_noise(np.zeros((9, 9, 3), np.uint8), generator(), photons=60).any()


def test_impulse_noise_puts_salt_and_pepper_in_equal_parts() -> None:
    noisy = impulse_noise(GREY, generator(), share=0.17)
    n = GREY.size
    for value in (0, 255):
        low, high = stats.binom(n, 0.17 / 2).interval(0.9999)
        assert low <= (noisy == value).sum() <= high
    assert set(np.unique(noisy)) == {0, 128, 255}
    assert ((noisy != 128).sum(axis=-1) == 1).any(), "channels are hit one by one"


def test_speckle_noise_grows_with_the_value() -> None:
    bright = speckle_noise(GREY, generator(), std=0.15) - 128.0
    dark = speckle_noise(GREY // 4, generator(), std=0.15) - 32.0
    assert bright.std() == pytest.approx(0.15 * 128, rel=0.01)
    assert dark.std() == pytest.approx(0.15 * 32, rel=0.01)
