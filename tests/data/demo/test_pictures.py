import numpy as np
import pytest
from PIL import Image

from oodbench.data.demo.pictures import (
    centre_crop,
    cue_conflict,
    pixels_of,
    random_generator,
    resized,
    sketch,
)


def noise_picture(height: int, width: int) -> Image.Image:
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(512, 512), (683, 1024), (500, 333), (100, 300)])
def test_resize_and_crop_are_those_of_torchvision(size: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    picture = noise_picture(*size)
    expected = transforms.CenterCrop(224)(transforms.Resize(256)(picture))
    assert np.array_equal(np.asarray(centre_crop(resized(picture))), np.asarray(expected))


def test_generators_depend_on_the_whole_key() -> None:
    draws = {
        key: float(random_generator(*key).random()) for key in [("a", "b"), ("a", "c"), ("b", "b")]
    }
    assert len(set(draws.values())) == 3
    assert draws["a", "b"] == random_generator("a", "b").random()


def test_sketch_is_dark_where_a_disc_has_its_border_and_white_elsewhere() -> None:
    rows, columns = np.indices((256, 256)) - 128
    radius = np.hypot(rows, columns)
    disc = np.where(radius < 80, 60, 200).astype(np.uint8)
    drawn = np.asarray(sketch(Image.fromarray(disc).convert("RGB")))
    assert drawn.shape == (256, 256, 3)
    dark = drawn.max(axis=-1) < 100
    assert np.abs(radius[dark] - 80).max() < 4
    assert drawn[np.abs(radius - 80) > 8].min() == 255
    sectors = np.floor(np.degrees(np.arctan2(rows, columns)[dark]) / 10)
    assert len(np.unique(sectors)) >= 36


def test_cue_conflict_has_the_colour_of_the_texture_and_the_edges_of_the_shape() -> None:
    red = Image.new("RGB", (300, 300), (200, 0, 0))
    half = np.zeros((300, 300, 3), np.uint8)
    half[:, 150:] = 255
    mixed = pixels_of(cue_conflict(Image.fromarray(half), red, random_generator("mix")))
    assert mixed.shape == (224, 224, 3)
    assert mixed[..., 1:].max() == 0
    darkest_at_edge = mixed[:, 106:118, 0].min(axis=1)
    assert darkest_at_edge.max() < 0.3 * mixed[:, 30:80, 0].min()
    assert mixed[:, 150:190, 0].min() > mixed[:, 30:80, 0].max()
