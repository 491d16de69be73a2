import numpy as np
import pytest
from PIL import Image

from oodbench.data.demo.pictures import (
    centre_crop,
    cue_conflict,
    displaced,
    pixels_of,
    random_generator,
    resized,
    sketch,
    smooth_noise,
    zoomed,
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


def test_displaced_takes_the_pixel_from_there_and_repeats_the_border() -> None:
    pixels = np.arange(12.0).reshape(3, 4, 1)
    moved = displaced(pixels, 1, -2)
    assert moved[..., 0].tolist() == [[4, 4, 4, 5], [8, 8, 8, 9], [8, 8, 8, 9]]


def test_zoom_keeps_the_centre_and_blackens_the_outside() -> None:
    picture = Image.new("RGB", (101, 101), "white")
    half = np.asarray(zoomed(picture, 0.5))[..., 0]
    assert half.shape == (101, 101)
    assert half[50, 50] == 255
    assert half[0, 0] == half[50, 10] == 0
    assert half.mean() / 255 == pytest.approx(0.25, abs=0.02)
    assert np.asarray(zoomed(picture, 2)).min() == 255


def test_smooth_noise_is_rectangular_fills_the_unit_interval_and_is_smooth() -> None:
    cloud = smooth_noise(random_generator("a"), (40, 60), 4)
    assert cloud.shape == (40, 60)
    assert (cloud.min(), cloud.max()) == (0, 1)
    assert np.abs(np.diff(cloud, axis=1)).max() < 0.2


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
