import itertools

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop

from oodbench.core.errors import ConfigError
from oodbench.data.clips import decode_clip
from oodbench.data.perturbations.files import clip_file
from oodbench.data.perturbations.parameters import (
    clip_stream,
    encoder,
    names,
    parameters,
    parameters_hash,
)
from oodbench.data.perturbations.registry import OF_THE_CENTRE, OF_THE_WHOLE, perturbed
from oodbench.metrics.perturbation import TEST_PERTURBATIONS

VALIDATION = ["speckle_noise", "gaussian_blur", "spatter", "shear"]
NOISES = ["gaussian_noise", "shot_noise", "speckle_noise"]
CLEAN_FRAMES = {**dict.fromkeys([*NOISES, "zoom_blur"], 0), "translate": 20}
"""Of these perturbations this frame is the clean picture."""
MOST_CHANGED = {"brightness": 15, "rotate": 15, "shear": 15, "scale": 24}
"""Of these this frame is what is left where nothing is changed: half a pixel or a level off."""


def frames(picture: np.ndarray, name: str, seed: int = 0) -> list[np.ndarray]:
    return list(perturbed(picture, name, clip_stream(seed, name, "n01440764/a")))


def central(picture: np.ndarray) -> np.ndarray:
    return np.array(CenterCrop(224)(Image.fromarray(picture)))


def test_the_names_are_those_that_are_scored() -> None:
    assert names() == [*TEST_PERTURBATIONS, *VALIDATION]
    assert {*OF_THE_CENTRE, *OF_THE_WHOLE} == set(names())


@pytest.mark.parametrize("name", [*TEST_PERTURBATIONS, *VALIDATION])
def test_numbers_and_shape_of_the_frames(whole: np.ndarray, name: str) -> None:
    before = whole.copy()
    found = frames(whole, name)
    assert len(found) == (41 if name == "translate" else 31)
    assert {(frame.shape, frame.dtype) for frame in found} == {((224, 224, 3), np.dtype(np.uint8))}
    np.testing.assert_array_equal(whole, before)
    assert all((a != b).any() for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(("name", "index"), CLEAN_FRAMES.items())
@pytest.mark.parametrize("shape", [(256, 301), (299, 256), (256, 256), (224, 225)])
def test_the_clean_frame_is_the_central_square(
    whole: np.ndarray, name: str, index: int, shape: tuple[int, int]
) -> None:
    picture = np.resize(whole, (*shape, 3))
    np.testing.assert_array_equal(frames(picture, name)[index], central(picture))


@pytest.mark.parametrize(("name", "index"), MOST_CHANGED.items())
def test_the_middle_frame_is_nearly_the_central_square(
    whole: np.ndarray, name: str, index: int
) -> None:
    difference = frames(whole, name)[index].astype(int) - central(whole)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("name", names())
def test_a_clip_can_be_made_again_alone(whole: np.ndarray, name: str) -> None:
    first, again, other = (frames(whole, name, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    is_random = name in [*NOISES, "snow", "spatter"]
    assert (np.array(first) != np.array(other)).any() == is_random


def test_the_stream_is_the_documented_one_and_depends_on_all_of_its_key() -> None:
    # printf '0:snow:n01440764/a' | sha256sum | cut -c 1-32
    number = int("712c81021c6e008700704191f525685c", 16)
    expected = np.random.Generator(np.random.PCG64(number)).random()
    assert clip_stream(0, "snow", "n01440764/a").random() == expected
    keys = [(0, "snow", "a"), (1, "snow", "a"), (0, "spatter", "a"), (0, "snow", "b")]
    assert len({clip_stream(*key).integers(2**62) for key in keys}) == len(keys)


def test_encoders_are_the_published_ones() -> None:
    for name in names():
        found = encoder(name)
        assert found.pix_fmt == "yuv444p"
        quality = {"tune": "grain"} if name in NOISES else {"crf": "20"}
        assert found.options == {"preset": "veryslow", **quality}
        assert "encoder" not in parameters(name)


MEAN_ERRORS = {"translate": 3.0, "gaussian_noise": 6.0}
"""Grey levels that H.264 may be off by on this picture, whose grain is harder than a photograph."""


@pytest.mark.parametrize("name", MEAN_ERRORS)
def test_a_clip_gives_back_its_frames(whole: np.ndarray, name: str) -> None:
    made = np.array(frames(whole, name), int)
    found = np.array(decode_clip(clip_file(whole, name, 0, "n01440764/a")), int)
    assert found.shape == made.shape
    error = np.abs(found - made).mean(axis=(1, 2, 3))
    assert error.max() < MEAN_ERRORS[name]
    # The frame before is farther off: nothing is dropped or doubled. The clean one is near to all.
    shifted = np.abs(found[2:] - made[1:-1]).mean(axis=(1, 2, 3))
    assert (shifted > error[2:]).all()


def test_unknown_names_are_refused_with_the_known_ones(whole: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"unknown perturbation rain: available: gaussian_noise"):
        perturbed(whole, "rain", np.random.default_rng())


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((256, 256), np.uint8),
        np.zeros((256, 256, 3), np.float32),
        np.zeros((256, 223, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a picture uint8"):
        perturbed(wrong, "snow", np.random.default_rng())


def test_the_hash_is_of_all_parameters() -> None:
    assert len(parameters_hash()) == 64
