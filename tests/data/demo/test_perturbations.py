import numpy as np
import pytest
from PIL import Image

from oodbench.data.demo.perturbations import PERTURBATIONS, clip_frames
from oodbench.data.demo.pictures import random_generator
from oodbench.reference import read_table


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """256x256, bright at one spot right of the centre; the blue channel is rough."""
    rows, columns = np.indices((256, 256))
    rough = np.random.default_rng(0).uniform(80, 160, (256, 256))
    spot = 150 * np.exp(-((rows - 128) ** 2 + (columns - 150) ** 2) / 800)
    return Image.fromarray(np.stack([spot + 40, spot + 60, rough], -1).astype(np.uint8))


@pytest.fixture(scope="module")
def clips(picture: Image.Image) -> dict[str, np.ndarray]:
    return {
        name: np.stack(list(clip_frames(name, picture, random_generator(name))))
        for name in PERTURBATIONS
    }


def test_names_are_the_10_test_perturbations_of_the_reference() -> None:
    rows = read_table("corruption_reference.csv")
    published = {
        row["corruption"]
        for row in rows
        if row["benchmark"] == "imagenet_p" and row["set"] == "test"
    }
    assert len(PERTURBATIONS) == 10
    assert set(PERTURBATIONS) == published


def test_clips_have_31_frames_and_translate_41(clips: dict[str, np.ndarray]) -> None:
    for name, frames in clips.items():
        assert frames.shape == (41 if name == "translate" else 31, 224, 224, 3)
        assert frames.dtype == np.uint8


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise"])
def test_noise_starts_clean_and_is_drawn_anew(
    name: str, clips: dict[str, np.ndarray], picture: Image.Image
) -> None:
    frames = clips[name].astype(float)
    assert np.array_equal(frames[0], np.asarray(picture)[16:240, 16:240])
    noise = (frames[1:] - frames[0]).reshape(30, -1)
    assert (noise.std(axis=1) > 3).all()
    correlations = np.corrcoef(noise) - np.eye(30)
    assert np.abs(correlations).max() < 0.05


@pytest.mark.parametrize("name", sorted(set(PERTURBATIONS) - {"gaussian_noise", "shot_noise"}))
def test_the_others_move_on_in_every_frame(name: str, clips: dict[str, np.ndarray]) -> None:
    frames = clips[name].astype(float)
    assert (np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)) > 0).all()


def test_directions(clips: dict[str, np.ndarray]) -> None:
    means = clips["brightness"].mean(axis=(1, 2, 3))
    assert (np.diff(means) > 0).all()
    # Where the brightest column is: a row of the translated clip moves by one pixel a frame.
    columns = clips["translate"][:, 112, :, 0].astype(float)
    centres = (columns - 40).clip(0) @ np.arange(224) / (columns - 40).clip(0).sum(axis=1)
    assert np.diff(centres) == pytest.approx(-1, abs=0.2)
    for still in ("rotate", "tilt"):
        middle = clips[still][15].astype(int)
        assert np.abs(middle - clips["translate"][20].astype(int)).max() <= 1
    assert (clips["scale"] == 0).all(axis=-1).mean(axis=(1, 2)).argmax() == 0
