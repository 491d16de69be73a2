from math import ceil, cos, radians, sin

import numpy as np
import pytest
from scipy import ndimage

from oodbench.data.corruptions import blur
from oodbench.data.corruptions.gaussian import smoothed, smoothed_mirrored
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.shuffling import shuffled
from oodbench.data.corruptions.zooming import zoomed


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("sigma", [0.7, 2, 6])
def test_smoothing_is_scipys_with_repeated_borders(picture: np.ndarray, sigma: float) -> None:
    expected = ndimage.gaussian_filter(picture.astype(float), (sigma, sigma, 0), mode="nearest")
    np.testing.assert_allclose(smoothed(picture, sigma), expected, atol=1e-3)
    np.testing.assert_allclose(smoothed(picture.astype(float), sigma), expected, atol=1e-9)


@pytest.mark.parametrize("sigma", [2.44, 19.52, 170.8])
def test_mirrored_smoothing_is_scipys(sigma: float) -> None:
    field = generator().uniform(-1, 1, (40, 48))
    expected = ndimage.gaussian_filter(field, sigma, mode="reflect", truncate=3)
    np.testing.assert_allclose(smoothed_mirrored(field, sigma), expected, atol=1e-12)


def test_gaussian_blur_truncates(picture: np.ndarray) -> None:
    soft = ndimage.gaussian_filter(picture.astype(float), (3, 3, 0), mode="nearest")
    blurred = blur.gaussian_blur(picture, generator(), sigma=3)
    assert np.abs(blurred - np.floor(soft)).max() <= 1
    assert (blurred == np.floor(soft)).mean() > 0.99


def disk(radius: int) -> np.ndarray:
    reach = max(radius, 8)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = (y**2 + x**2 <= radius**2).astype(float)
    return inside / inside.sum()


def binomial_softening(kernel: np.ndarray, sigma: float, reach: int) -> np.ndarray:
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, weights, axis, mode="mirror")
    return kernel


@pytest.mark.parametrize(
    ("radius", "alias_sigma", "reach"), [(3, 0.1, 1), (4, 0.5, 1), (8, 0.5, 1), (10, 0.5, 2)]
)
def test_defocus_blur_is_the_mean_over_a_soft_disk(
    picture: np.ndarray, radius: int, alias_sigma: float, reach: int
) -> None:
    kernel = binomial_softening(disk(radius), alias_sigma, reach)
    expected = ndimage.correlate(picture.astype(float), kernel[..., None], mode="mirror")
    blurred = blur.defocus_blur(picture, generator(), radius=radius, alias_sigma=alias_sigma)
    assert np.abs(blurred - np.floor(expected)).max() <= 1
    assert (blurred == np.floor(expected)).mean() > 0.9


def shuffled_by_a_loop(
    picture: np.ndarray, rng: np.random.Generator, max_shift: int, passes: int
) -> np.ndarray:
    """The published loop, whose views copy where they are meant to swap."""
    made = picture.copy()
    height, width = made.shape[:2]
    for _ in range(passes):
        for row in range(height - max_shift, max_shift, -1):
            for column in range(width - max_shift, max_shift, -1):
                right, down = rng.integers(-max_shift, max_shift, size=2)
                made[row, column] = made[row + down, column + right]
    return made


@pytest.mark.parametrize(("max_shift", "passes"), [(1, 2), (2, 1), (2, 3), (3, 2), (4, 2)])
def test_the_shuffle_is_the_published_loop(
    picture: np.ndarray, max_shift: int, passes: int
) -> None:
    expected = shuffled_by_a_loop(picture, generator(), max_shift, passes)
    np.testing.assert_array_equal(shuffled(picture, generator(), max_shift, passes), expected)


def test_the_published_assignment_of_views_copies() -> None:
    pixels = np.array([[1, 1], [2, 2]])
    pixels[0], pixels[1] = pixels[1], pixels[0]
    np.testing.assert_array_equal(pixels, [[2, 2], [2, 2]])


def test_a_picture_too_small_to_shuffle_stays() -> None:
    tiny = np.arange(8 * 40 * 3, dtype=np.uint8).reshape(8, 40, 3)
    np.testing.assert_array_equal(shuffled(tiny, generator(), 4, 2), tiny)


def motion_by_a_loop(picture: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """ImageMagick 6's MotionBlurImage: a pixel at a time, edge pixels beyond the border, Q16."""
    height, width = picture.shape[:2]
    weights = [np.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    made = np.zeros(picture.shape)
    for row in range(height):
        for column in range(width):
            for i, weight in enumerate(weights):
                y = row + ceil(i * sin(radians(angle)) - 0.5)
                x = column + ceil(i * cos(radians(angle)) - 0.5)
                pixel = picture[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
                made[row, column] += weight / sum(weights) * pixel
    return np.floor(np.rint(made * 257) / 257)


@pytest.mark.parametrize("angle", [0, 31.3, -44.2, -90, -130.5])
def test_motion_blur_is_imagemagicks_loop(picture: np.ndarray, angle: float) -> None:
    part = picture[8:24, 5:25]
    expected = motion_by_a_loop(part, 10, 3, angle)
    blurred = motion_blurred(part, 10, 3, angle)
    assert np.abs(blurred - expected).max() <= 1
    assert (blurred == expected).mean() > 0.99


def test_the_angle_of_motion_blur_is_drawn(picture: np.ndarray) -> None:
    angle = generator().uniform(-45, 45)
    blurred = blur.motion_blur(picture, generator(), radius=10, sigma=3, max_angle=45)
    np.testing.assert_array_equal(blurred, motion_blurred(picture, 10, 3, angle))


@pytest.mark.parametrize(("length", "factor"), [(224, 3), (224, 2.5), (224, 4.5), (60, 1.17)])
def test_zoom_is_scipys_zoom_of_the_middle(length: int, factor: float) -> None:
    field = generator().normal(size=(length, length + 3))
    crops = [ceil(side / factor) for side in field.shape]
    starts = [(side - crop) // 2 for side, crop in zip(field.shape, crops, strict=True)]
    middle = field[starts[0] : starts[0] + crops[0], starts[1] : starts[1] + crops[1]]
    large = ndimage.zoom(middle, factor, order=1, mode="nearest")
    trims = [(large.shape[axis] - field.shape[axis]) // 2 for axis in (0, 1)]
    expected = large[trims[0] : trims[0] + length, trims[1] : trims[1] + length + 3]
    np.testing.assert_allclose(zoomed(field, factor), expected, atol=1e-9)


def test_zoom_blur_is_the_mean_of_the_zooms(picture: np.ndarray) -> None:
    pixels = picture.astype(float)
    total = pixels.copy()
    factors = np.arange(1, 1.31, 0.03)
    for factor in factors:
        for channel in range(3):
            total[..., channel] += zoomed(pixels[..., channel], float(factor))
    blurred = blur.zoom_blur(picture, generator(), stop=1.31, step=0.03)
    expected = np.floor(total / (len(factors) + 1))
    assert np.abs(blurred - expected).max() <= 1
    assert (blurred == expected).mean() > 0.99
