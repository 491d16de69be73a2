"""Frames against plain loops written from the published description, and other libraries."""

import colorsys
from math import ceil, cos, radians, sin

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torchvision.transforms import functional

from oodbench.data.perturbations.registry import perturbed
from oodbench.data.perturbations.weather import flowed


def frames(picture: np.ndarray, name: str, seed: int = 3) -> list[np.ndarray]:
    return list(perturbed(picture, name, np.random.default_rng(seed)))


@pytest.fixture
def square(whole: np.ndarray) -> np.ndarray:
    """What the frames show of it: (301 - 224) / 2 is rounded to even."""
    return whole[16:240, 38:262]


def test_gaussian_noise(whole: np.ndarray, square: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    for frame in frames(whole, "gaussian_noise")[1:]:
        noisy = np.clip(square / 255 + 0.03 * rng.standard_normal(square.shape), 0, 1)
        assert np.abs(frame - np.floor(noisy * 255)).max() <= 1
        middle = np.abs(square.astype(int) - 128) < 60
        change = (frame.astype(float) - square)[middle]
        assert change.std() == pytest.approx(0.03 * 255, rel=0.02)
        assert change.mean() == pytest.approx(-0.5, abs=0.15)  # decimals are cut


def test_shot_noise(whole: np.ndarray, square: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    for frame in frames(whole, "shot_noise")[1:]:
        noisy = np.clip(rng.poisson(square / 255 * 300) / 300, 0, 1)
        assert np.abs(frame - np.floor(noisy * 255)).max() <= 1
        assert (frame[square == 0] == 0).all()


def test_speckle_noise(whole: np.ndarray, square: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    for frame in frames(whole, "speckle_noise")[1:]:
        x = square / 255
        noisy = np.clip(x + x * rng.normal(scale=0.05, size=x.shape), 0, 1)
        assert np.abs(frame - np.floor(noisy * 255)).max() <= 1


def moved_by_a_loop(picture: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """A half Gaussian along a line, in whole pixels, borders repeated; floats."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    total, weights = np.zeros(picture.shape), 0.0
    for step in range(2 * radius + 1):
        weight = np.exp(-(step**2) / (2 * sigma**2))
        down = ceil(step * sin(radians(angle)) - 0.5)
        right = ceil(step * cos(radians(angle)) - 0.5)
        y, x = (rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)
        total += weight * picture[y, x]
        weights += weight
    return total / weights


def test_motion_blur_turns_by_4_degrees_a_frame(whole: np.ndarray, square: np.ndarray) -> None:
    found = frames(whole, "motion_blur")
    for index in (0, 7, 15, 30):
        # ImageMagick rounds to 16 bits before 8 of them are cut.
        expected = np.floor(moved_by_a_loop(square, 10, 3, (index - 30) * 4) + 0.5 / 257)
        assert np.abs(found[index] - expected).max() <= 1
        assert (found[index] == expected).mean() > 0.9999


def test_zoom_blur_is_a_running_mean(whole: np.ndarray) -> None:
    """The zoom is torchvision's of today, whose centre lies half a pixel from the published one."""
    image = Image.fromarray(whole)
    total = torch.zeros(3, 224, 224)
    for index, frame in enumerate(frames(whole, "zoom_blur")):
        zoom = functional.affine(
            *(image, 0, [0, 0], 1 + 0.004 * index, [0.0]),
            interpolation=functional.InterpolationMode.BILINEAR,
            center=[301 / 2 + 0.5, 256 / 2 + 0.5],
        )
        total += functional.to_tensor(functional.center_crop(zoom, [224]))
        expected = (total / (index + 1)).mul(255).byte().permute(1, 2, 0).numpy()
        assert np.abs(frame.astype(int) - expected).max() <= 1
        assert (frame == expected).mean() > 0.99


def test_snow_turns_over_the_same_flakes(whole: np.ndarray, square: np.ndarray) -> None:
    layer = np.random.default_rng(3).normal(0.05, 0.3, (224, 224))
    cropped = layer[74:149, 74:149]  # ceil(224 / 3) = 75 from (224 - 75) // 2 on
    layer = ndimage.zoom(cropped, 3, order=1)[:224, :224]
    layer = np.floor(np.clip(np.where(layer < 0.5, 0, layer), 0, 1) * 255)
    grey = cv2.cvtColor(np.float32(square / 255), cv2.COLOR_RGB2GRAY)[..., None]
    pixels = square / 255
    ground = 0.85 * pixels + 0.15 * np.maximum(pixels, grey * 1.5 + 0.5)
    found = frames(whole, "snow")
    for index in (0, 14, 30):
        moved = np.floor(moved_by_a_loop(layer, 14, 4, 4 * index - 150) + 0.5 / 257)
        snow = (moved + moved[::-1, ::-1])[..., None] / 255
        expected = np.floor(np.clip(ground + snow, 0, 1) * 255)
        difference = np.abs(found[index] - expected)
        assert difference.max() <= 2
        assert (difference <= 1).mean() > 0.9999


def test_brightness_is_from_minus_30_to_30_percent(whole: np.ndarray, square: np.ndarray) -> None:
    pixels = [tuple(pixel) for pixel in square.reshape(-1, 3)[::97].tolist()]
    for index, frame in enumerate(frames(whole, "brightness")):
        for (r, g, b), made in zip(pixels, frame.reshape(-1, 3)[::97].tolist(), strict=True):
            h, s, v = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
            light = min(max(v + (index - 15) * 0.02, 0), 1)
            expected = [int(value * 255) for value in colorsys.hsv_to_rgb(h, s, light)]
            assert max(abs(x - y) for x, y in zip(made, expected, strict=True)) <= 1


def test_gaussian_blur_grows(whole: np.ndarray, square: np.ndarray) -> None:
    found = frames(whole, "gaussian_blur")
    for index in (0, 1, 13, 30):
        sigma = 0.25 + 0.035 * index
        expected = ndimage.gaussian_filter(
            square.astype(float), (sigma, sigma, 0), mode="nearest", truncate=6
        )
        assert np.abs(found[index] - np.floor(expected)).max() <= 1
        clear = np.abs(expected - expected.round()) > 0.01  # whatever the order of the sum
        assert (found[index] == np.floor(expected))[clear].all()


FLOW = [0.05, 0.1, 0.15, 0.7]


def convolved(liquid: np.ndarray) -> np.ndarray:
    return np.stack([np.convolve(column, FLOW, mode="same") for column in liquid.T], axis=1)


def test_water_flows_down_as_numpy_convolves() -> None:
    liquid = np.random.default_rng(1).random((9, 4))
    np.testing.assert_allclose(flowed(liquid, FLOW), convolved(liquid), atol=1e-15)
    drop = np.zeros((7, 1))
    drop[3] = 1
    assert flowed(drop, FLOW).ravel().tolist() == [0, 0, *FLOW, 0]


def tinted(square: np.ndarray, liquid: np.ndarray) -> np.ndarray:
    """Water of the published code over a picture."""
    depth = (liquid * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(depth, 50, 150), cv2.DIST_L2, 5)
    _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
    relief = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    relief = cv2.filter2D(relief, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    tint = depth * cv2.blur(relief, (3, 3)).astype(np.float32)
    tint = 0.6 * tint[..., None] / tint.max()
    return np.clip(square / 255 + tint * np.array([175, 238, 238]) / 255, 0, 1) * 255


def test_spatter_runs_down(whole: np.ndarray, square: np.ndarray) -> None:
    field = np.random.default_rng(3).normal(0.65, 0.27, (224, 224))
    liquid = ndimage.gaussian_filter(field, 3.7, mode="nearest")
    liquid[liquid < 0.69] = 0
    for frame in frames(whole, "spatter"):
        # Canny's edges jump with the last bit of the field.
        difference = np.abs(frame - np.floor(tinted(square, liquid)))
        assert (difference <= 1).mean() > 0.995
        liquid = convolved(liquid)
