import numpy as np
import pytest

from oodbench.core.errors import ConfigError
from oodbench.data.corruptions.parameters import (
    SEVERITIES,
    names,
    parameters,
    parameters_hash,
    picture_stream,
)
from oodbench.data.corruptions.registry import FUNCTIONS, corrupt
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.reference import alexnet_corruption_errors

WITHOUT_TEXTURES = [name for name in FUNCTIONS if name != "frost"]


def test_the_names_are_those_that_are_scored() -> None:
    assert names() == list(FUNCTIONS)
    assert names()[:15] == list(TEST_CORRUPTIONS)
    assert set(FUNCTIONS) == set(alexnet_corruption_errors())


def test_parameters_of_a_severity() -> None:
    assert parameters("glass_blur", 3) == {"sigma": 1.0, "max_shift": 2, "passes": 3}
    assert parameters("snow", 4)["zoom"] == 4.5
    assert parameters("elastic_transform", 1)["side"] == 244


@pytest.mark.parametrize("name", WITHOUT_TEXTURES)
@pytest.mark.parametrize("shape", [(33, 47, 3), (64, 40, 3)])
def test_pictures_of_any_size(name: str, shape: tuple[int, int, int]) -> None:
    picture = np.random.RandomState(2).randint(0, 256, shape).astype(np.uint8)
    before = picture.copy()
    for severity in SEVERITIES:
        made = corrupt(picture, name, severity, picture_stream(0, name, severity, "x"))
        assert made.shape == shape
        assert made.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("name", WITHOUT_TEXTURES)
def test_a_picture_can_be_made_again_alone(name: str, picture: np.ndarray) -> None:
    first, again, other = (
        corrupt(picture, name, 2, picture_stream(seed, name, 2, "n01440764/a"))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    deterministic = {
        *("defocus_blur", "zoom_blur", "gaussian_blur", "brightness", "contrast"),
        *("pixelate", "jpeg_compression", "saturate"),
    }
    assert np.array_equal(first, other) == (name in deterministic)


def test_the_stream_depends_on_all_of_its_key() -> None:
    keys = [(0, "fog", 1, "a"), (1, "fog", 1, "a"), (0, "snow", 1, "a"), (0, "fog", 2, "a")]
    keys += [(0, "fog", 1, "b")]
    assert len({picture_stream(*key).integers(2**62) for key in keys}) == len(keys)


def test_the_stream_is_the_documented_one() -> None:
    # printf '0:fog:1:a' | sha256sum | cut -c 1-32
    number = int("3535de45573dfa608eb386196f046d2b", 16)
    expected = np.random.Generator(np.random.PCG64(number)).random()
    assert picture_stream(0, "fog", 1, "a").random() == expected


def test_unknown_names_are_refused_with_the_known_ones(picture: np.ndarray) -> None:
    rng = np.random.default_rng()
    with pytest.raises(ConfigError, match=r"unknown corruption rain: available: gaussian_noise, "):
        corrupt(picture, "rain", 1, rng)
    with pytest.raises(ConfigError, match="severity 6: available: 1, 2, 3, 4, 5"):
        corrupt(picture, "fog", 6, rng)


@pytest.mark.parametrize("wrong", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a picture uint8"):
        corrupt(wrong, "fog", 1, np.random.default_rng())


def test_the_hash_is_of_all_parameters() -> None:
    assert len(parameters_hash()) == 64
