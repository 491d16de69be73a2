"""Movements measured from the frames: blobs are found again, and whole frames resampled by SciPy.

Places are counted in pixels from the picture's upper left corner, so that the middle of the first
pixel lies at (0.5, 0.5).
"""

from math import atan2, cos, degrees, hypot, radians, sin

import cv2
import numpy as np
import pytest
from scipy import ndimage

from oodbench.data.perturbations.registry import perturbed

HEIGHT, WIDTH = 256, 300
LEFT, TOP = 38, 16
MIDDLE = np.array([WIDTH / 2 + 0.5, HEIGHT / 2 + 0.5])
"""(x, y) about which torchvision of 2018 turned: half a pixel off."""
PLACES = [(-50.0, 30.0), (40.0, 45.0), (5.0, -60.0)]
"""Of three blobs, one a channel, from there."""


def blobs() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    layers = [
        250 * np.exp(-((x - MIDDLE[0] - px) ** 2 + (y - MIDDLE[1] - py) ** 2) / (2 * 3**2))
        for px, py in PLACES
    ]
    return np.stack(layers, axis=-1).astype(np.uint8)


def frames(picture: np.ndarray, name: str) -> list[np.ndarray]:
    return list(perturbed(picture, name, np.random.default_rng()))


def found(frame: np.ndarray) -> np.ndarray:
    """Where the three blobs are, `(3, 2)`, (x, y) from the middle that they are given from."""
    y, x = np.mgrid[0:224, 0:224] + 0.5
    weights = frame.astype(float).reshape(-1, 3)
    centres = np.stack([x.ravel() @ weights, y.ravel() @ weights], axis=1)
    return centres / weights.sum(axis=0)[:, None] + [LEFT, TOP] - MIDDLE


def test_translate_is_from_20_to_the_left_to_20_to_the_right(whole: np.ndarray) -> None:
    clip = [frame.astype(int) for frame in frames(whole, "translate")]
    for index, frame in enumerate(clip):
        errors = [
            np.abs(frame[:, 30 + shift : 194 + shift] - clip[20][:, 30:194]).mean()
            for shift in range(-30, 31)
        ]
        assert (np.argmin(errors) - 30, min(errors)) == (index - 20, 0)
    centres = [found(frame) for frame in frames(blobs(), "translate")]
    np.testing.assert_allclose(centres[0] + [20, 0], PLACES, atol=0.05)
    np.testing.assert_allclose(centres[40] - [20, 0], PLACES, atol=0.05)


def test_translate_shows_black_beyond_the_picture() -> None:
    """A frame's margin in a picture 256 wide is 16 pixels: at 20 four columns are black."""
    white = np.full((300, 256, 3), 255, np.uint8)
    black = [
        (frame == 0).all(axis=(0, 2)).nonzero()[0].tolist() for frame in frames(white, "translate")
    ]
    assert black[0] == [220, 221, 222, 223]
    assert black[40] == [0, 1, 2, 3]
    assert black[4] == black[36] == []
    assert black[37] == [0]


def test_rotate_is_from_15_degrees_anticlockwise_to_15_clockwise() -> None:
    first = np.array(PLACES[0]) - PLACES[1]
    for index, frame in enumerate(frames(blobs(), "rotate")):
        places = found(frame)
        line = places[0] - places[1]
        turned = degrees(atan2(line[1], line[0]) - atan2(first[1], first[0]))
        assert (turned + 180) % 360 - 180 == pytest.approx(index - 15, abs=0.05)
        a = radians(index - 15)
        expected = [(x * cos(a) - y * sin(a), x * sin(a) + y * cos(a)) for x, y in PLACES]
        np.testing.assert_allclose(places, expected, atol=0.06)


def test_scale_is_from_40_to_115_percent() -> None:
    sizes = []
    for frame in frames(blobs(), "scale"):
        places = found(frame)
        sizes.append(hypot(*(places[0] - places[1])) / hypot(90, 15))
        np.testing.assert_allclose(places, np.array(PLACES) * sizes[-1], atol=0.15)
    np.testing.assert_allclose(sizes, np.arange(31) * 0.025 + 0.4, atol=0.004)
    assert sizes[0] == pytest.approx(0.4, abs=0.004)
    assert sizes[30] == pytest.approx(1.15, abs=0.004)


def test_a_small_scale_has_a_black_frame() -> None:
    """At 40 % the white picture's sides are 120 and 102.4 pixels long."""
    frame = frames(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), "scale")[0]
    assert set(np.unique(frame)) == {0, 255}
    assert (frame[112, :, 0] == 255).sum() == 120
    assert (frame[:, 112, 0] == 255).sum() in (102, 103)


def test_shear_is_from_minus_15_to_15_degrees() -> None:
    for index, frame in enumerate(frames(blobs(), "shear")):
        a = radians(index - 15)
        expected = [(x - y * sin(a), y * cos(a)) for x, y in PLACES]
        np.testing.assert_allclose(found(frame), expected, atol=0.06)


def seen(x: float, y: float, angle: float) -> tuple[float, float]:
    """Where the published tilt shows a place of the picture: turned about both axes, projected.

    In OpenCV's coordinates, in which the middle of the first pixel is at (0, 0).
    """
    focal = (WIDTH**2 + HEIGHT**2) ** 0.5
    x, y, z = x - WIDTH / 2, y - HEIGHT / 2, 1.0
    x, z = x * cos(angle) - z * sin(angle), x * sin(angle) + z * cos(angle)
    y, z = y * cos(angle) - z * sin(angle), y * sin(angle) + z * cos(angle)
    z += focal
    return focal * x / z + WIDTH / 2, focal * y / z + HEIGHT / 2


def test_tilt_is_a_perspective_from_minus_15_to_15_degrees() -> None:
    for index, frame in enumerate(frames(blobs(), "tilt")):
        given = np.array(PLACES) + MIDDLE - 0.5
        expected = [seen(x, y, radians(index - 15)) for x, y in given]
        np.testing.assert_allclose(found(frame) + MIDDLE - 0.5, expected, atol=0.12)
    for angle in (-15, 15):  # hand-worked: the lower right corner goes back, or comes near
        x, y = seen(WIDTH, HEIGHT, radians(angle))
        assert (x > WIDTH, y > HEIGHT) == (angle < 0, angle < 0)


def resampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    channels = [
        ndimage.map_coordinates(picture[..., c].astype(float), [y, x], order=1, mode="nearest")
        for c in range(3)
    ]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize(("name", "index"), [("rotate", 22), ("scale", 30), ("shear", 8)])
def test_affine_frames_are_scipys(whole: np.ndarray, name: str, index: int) -> None:
    a = radians(index - 15)
    forward = {
        "rotate": [[cos(a), -sin(a)], [sin(a), cos(a)]],
        "scale": [[1.15, 0], [0, 1.15]],
        "shear": [[1, -sin(a)], [0, cos(a)]],
    }[name]
    middle = np.array([301 / 2 + 0.5, 256 / 2 + 0.5])
    left, top = 38, 16  # 38.5 is rounded to even
    y, x = np.mgrid[0:224, 0:224] + 0.5
    places = np.stack([x + left, y + top], axis=-1) - middle
    source = places @ np.linalg.inv(forward).T + middle - 0.5
    inside = ((source > 0) & (source < [300, 255])).all(axis=-1)
    expected = resampled(whole, source[..., 0], source[..., 1])
    difference = np.abs(frames(whole, name)[index] - expected)[inside]
    assert inside.mean() > 0.9
    assert difference.max() < 1.01


def test_a_tilted_frame_is_scipys(whole: np.ndarray) -> None:
    picture = whole[:, :WIDTH]
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    for index in (0, 23):
        moved = np.array([seen(x, y, radians(index - 15)) for x, y in corners], np.float32)
        backward = cv2.getPerspectiveTransform(moved, corners)
        y, x = np.mgrid[0:224, 0:224].astype(float)
        grid = np.stack([x + LEFT, y + TOP, np.ones_like(x)], axis=-1) @ backward.T
        source = grid[..., :2] / grid[..., 2:]
        inside = ((source > 0) & (source < [WIDTH - 1, HEIGHT - 1])).all(axis=-1)
        expected = resampled(picture, source[..., 0], source[..., 1])
        difference = np.abs(frames(picture, "tilt")[index] - expected)[inside]
        assert inside.mean() > 0.9
        assert np.quantile(difference, 0.999) < 1
        assert difference.max() < 5  # OpenCV before 5 rounds places to 1/32 of a pixel
