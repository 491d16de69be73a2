import colorsys
from io import BytesIO
from math import floor

import numpy as np
import pytest
from PIL import Image

from oodbench.data.corruptions import digital
from oodbench.data.corruptions.parameters import parameters
from oodbench.data.corruptions.spatter import MUD, WATER, spatter


def generator() -> np.random.Generator:
    return np.random.default_rng(13)


def test_contrast_draws_channels_to_their_means() -> None:
    halves = np.zeros((2, 4, 3), np.uint8)
    halves[1] = [200, 100, 50]
    made = digital.contrast(halves, generator(), factor=0.2)
    assert made[0, 0].tolist() == [80, 40, 20]
    assert made[1, 0].tolist() == [120, 60, 30]


def test_pixelate_repeats_the_means_of_blocks() -> None:
    picture = np.random.RandomState(0).randint(0, 256, (20, 24, 3)).astype(np.uint8)
    made = digital.pixelate(picture, generator(), factor=0.25)
    blocks = picture.reshape(5, 4, 6, 4, 3).mean(axis=(1, 3))
    assert np.abs(made - blocks.repeat(4, 0).repeat(4, 1)).max() <= 1


@pytest.mark.parametrize("factor", [0.6, 0.5, 0.4, 0.3, 0.25])
def test_pixelate_enlarges_as_a_box_filter_does(factor: float) -> None:
    picture = np.random.RandomState(1).randint(0, 256, (224, 224, 3)).astype(np.uint8)
    side = int(224 * factor)
    small = Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)
    expected = np.array(small.resize((224, 224), Image.Resampling.BOX))
    np.testing.assert_array_equal(digital.pixelate(picture, generator(), factor=factor), expected)


def test_jpeg_compression_is_a_round_trip(picture: np.ndarray) -> None:
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=10)
    made = digital.jpeg_compression(picture, generator(), quality=10)
    np.testing.assert_array_equal(made, np.array(Image.open(file)))
    assert np.abs(made.astype(int) - picture).mean() > 1


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_saturate_changes_the_saturation_of_hsv(picture: np.ndarray, severity: int) -> None:
    given = parameters("saturate", severity)
    picture[0, 0] = [90, 90, 90]
    made = digital.saturate(picture, generator(), **given)
    for row, column in ((0, 0), (15, 15), (39, 47), (5, 30)):
        hue, saturation, value = colorsys.rgb_to_hsv(*(picture[row, column] / 255))
        saturation = min(saturation * given["factor"] + given["added"], 1)
        expected = colorsys.hsv_to_rgb(hue, saturation, value)
        assert np.abs(made[row, column] - 255 * np.array(expected)).max() <= 1


def mirrored(place: int, length: int, *, edge_twice: bool) -> int:
    while not 0 <= place < length:
        if place < 0:
            place = -place - 1 if edge_twice else -place
        else:
            place = 2 * length - place - (1 if edge_twice else 2)
    return place


def bilinear(picture: np.ndarray, y: float, x: float, *, edge_twice: bool) -> np.ndarray:
    height, width = picture.shape[:2]
    total = np.zeros(3)
    for row in (floor(y), floor(y) + 1):
        for column in (floor(x), floor(x) + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            total += (
                weight
                * picture[
                    mirrored(row, height, edge_twice=edge_twice),
                    mirrored(column, width, edge_twice=edge_twice),
                ]
            )
    return total


def smooth_by_loops(field: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian cut at 3 sigma, borders mirrored, along columns and then along rows."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    for _ in range(2):
        made = np.zeros_like(field)
        for row in range(len(field)):
            for step, weight in zip(range(-radius, radius + 1), weights, strict=True):
                made[row] += weight * field[mirrored(row + step, len(field), edge_twice=True)]
        field = made.T
    return field


def elastic_by_loops(
    picture: np.ndarray, rng: np.random.Generator, alpha: float, sigma: float, jitter: float
) -> np.ndarray:
    """From corruption_parameters' numbers and words; three points as in the published code."""
    height, width = picture.shape[:2]
    centre, half = np.array([height // 2, width // 2]), min(height, width) // 3
    before = np.array([centre + half, centre + [half, -half], centre - half], np.float64)
    after = before + rng.uniform(-jitter, jitter, (3, 2))
    # a (2 x 3) with a @ (x after, y after, 1) = (x before, y before)
    affine = np.linalg.solve(np.column_stack([after, np.ones(3)]), before).T
    moved = np.zeros(picture.shape)
    for row in range(height):
        for column in range(width):
            x, y = affine @ [column, row, 1]
            moved[row, column] = bilinear(picture, y, x, edge_twice=False)
    right = alpha * smooth_by_loops(rng.uniform(-1, 1, (height, width)), sigma)
    down = alpha * smooth_by_loops(rng.uniform(-1, 1, (height, width)), sigma)
    made = np.zeros(picture.shape)
    for row in range(height):
        for column in range(width):
            place = row + down[row, column], column + right[row, column]
            made[row, column] = bilinear(moved, *place, edge_twice=True)
    return np.floor(made)


@pytest.mark.parametrize(
    ("severity", "alpha", "sigma", "jitter"),
    [
        (1, 488, 170.8, 24.4),
        (2, 488, 19.52, 48.8),
        (3, 12.2, 2.44, 4.88),
        (4, 17.08, 2.44, 4.88),
        (5, 29.28, 2.44, 4.88),
    ],
)
def test_elastic_transform_is_the_plain_loop(
    picture: np.ndarray, severity: int, alpha: float, sigma: float, jitter: float
) -> None:
    expected = elastic_by_loops(picture, generator(), alpha, sigma, jitter)
    made = digital.elastic_transform(
        picture, generator(), **parameters("elastic_transform", severity)
    )
    assert np.abs(made - expected).max() <= 1
    assert (made == expected).mean() > 0.99


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_water_adds_its_colour(severity: int) -> None:
    dark = np.full((224, 224, 3), 20, np.uint8)
    given = parameters("spatter", severity)
    added = spatter(dark, generator(), **given) - 20.0
    strongest = added.max(axis=(0, 1))
    np.testing.assert_allclose(strongest, given["strength"] * WATER, atol=1.01)
    assert 0.02 < (added[..., 1] > 10).mean() < 0.8
    tinted = added[..., 1] > 40
    np.testing.assert_allclose(added[tinted][:, 0] / added[tinted][:, 1], 175 / 238, atol=0.03)


@pytest.mark.parametrize("severity", [4, 5])
def test_mud_covers(severity: int) -> None:
    light = np.full((224, 224, 3), 240, np.uint8)
    made = spatter(light, generator(), **parameters("spatter", severity))
    covered = made[..., 1] < 240
    assert 0.05 < covered.mean() < 0.6
    assert np.abs(made[covered].min(axis=0) - MUD).max() <= 1
    # under a cover of less than 0.8 nothing is seen
    assert made[covered].max(axis=0)[1] <= 0.2 * 240 + 0.8 * MUD[1] + 1


def test_liquid_nowhere_leaves_the_picture(picture: np.ndarray) -> None:
    given = parameters("spatter", 1) | {"threshold": 99.0}
    np.testing.assert_array_equal(spatter(picture, generator(), **given), picture)
