"""Simple stand-ins for the 15 test corruptions of ImageNet-C, for the demo data only.

They have the names, the five severities and the growing strength of the published corruptions
(Hendrycks and Dietterich, 2019), and neither their algorithms nor their parameters: no number
measured on them is comparable with a published one.

Each takes pixels `(H, W, 3)` in [0, 1], a severity 1..5 and a generator, and returns pixels that
the caller clips.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from oodbench.data.demo.pictures import (
    Pixels,
    displaced,
    mean_of,
    picture_of,
    pixels_of,
    smooth_noise,
    zoomed,
)


def _gaussian_noise(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    return clean + 0.07 * severity * generator.standard_normal(clean.shape)


def _shot_noise(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    photons = 80 / severity**2
    return generator.poisson(clean * photons) / photons


def _impulse_noise(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    draw = generator.random(clean.shape) / (0.05 * severity)
    return np.where(draw < 0.5, 0.0, np.where(draw < 1, 1.0, clean))


def _defocus_blur(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    return pixels_of(picture_of(clean).filter(ImageFilter.BoxBlur(1.2 * severity)))


def _glass_blur(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    down, right = generator.uniform(-1.3 * severity, 1.3 * severity, (2, *clean.shape[:2]))
    return displaced(clean, down, right)


def _motion_blur(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    steps = range(-2 * severity, 2 * severity + 1)
    return mean_of([displaced(clean, 0.5 * step, step) for step in steps])


def _zoom_blur(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    factors = 1 + 0.02 * np.arange(3 * severity + 1)
    return mean_of([pixels_of(zoomed(picture_of(clean), factor)) for factor in factors])


def _snow(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    flakes = generator.random((*clean.shape[:2], 1)) < 0.01 * severity
    streaks = [displaced(flakes.astype(float), step, 0.5 * step) for step in range(6)]
    layer: Pixels = np.max(streaks, axis=0)
    return clean + 0.06 * severity * (1 - clean) + 0.7 * layer


def _frost(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    texture = 0.4 + 0.6 * smooth_noise(generator, (clean.shape[0], clean.shape[1]), 48)
    ice: Pixels = texture[..., None] * np.array([0.85, 0.95, 1.0])
    return clean + 0.14 * severity * (ice - clean)


def _fog(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    cloud = smooth_noise(generator, (clean.shape[0], clean.shape[1]), 5)
    weight = 0.16 * severity * (0.5 + 0.5 * cloud[..., None])
    return clean + weight * (0.85 - clean)


def _brightness(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    return clean + 0.1 * severity


def _contrast(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    mean: Pixels = clean.mean(axis=(0, 1))
    return clean + 0.18 * severity * (mean - clean)


def _elastic_transform(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    shape = (clean.shape[0], clean.shape[1])
    down, right = (smooth_noise(generator, shape, 20) - 0.5 for _ in range(2))
    return displaced(clean, 6 * severity * down, 6 * severity * right)


def _pixelate(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    picture = picture_of(clean)
    side = 1 + 2 * severity
    small = picture.resize((picture.width // side, picture.height // side), Image.Resampling.BOX)
    return pixels_of(small.resize(picture.size, Image.Resampling.NEAREST))


def _jpeg_compression(clean: Pixels, severity: int, generator: Generator) -> Pixels:
    file = BytesIO()
    picture_of(clean).save(file, format="JPEG", quality=35 - 5 * severity)
    return pixels_of(Image.open(file))


CORRUPTIONS: dict[str, Callable[[Pixels, int, Generator], Pixels]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "defocus_blur": _defocus_blur,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic_transform": _elastic_transform,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}
"""The 15 test corruptions by their published names, in the paper's order."""
