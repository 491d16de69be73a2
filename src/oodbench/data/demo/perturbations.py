"""Simple stand-ins for the 10 test perturbations of ImageNet-P, for the demo data only.

They have the names, the numbers of frames and the order of strength of the published sequences
(Hendrycks and Dietterich, 2019), not their algorithms: no number measured on them is comparable
with a published one. Noise is drawn again in every frame after a clean first one; the others
move on step by step.

Each takes a picture (shorter side 256) and a generator, and yields frames of the same size.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from oodbench.data.demo.pictures import (
    centre_crop,
    displaced,
    mean_of,
    picture_of,
    pixels_of,
    zoomed,
)

FRAMES = 31
TRANSLATE_FRAMES = 41

Frames = Iterator[Image.Image]


def clip_frames(
    perturbation: str, picture: Image.Image, generator: Generator
) -> Iterator[NDArray[np.uint8]]:
    """Frames of one clip, uint8 `(224, 224, 3)`: 31 of them, 41 for `translate`.

    Args:
        perturbation: a key of `PERTURBATIONS`.
        picture: RGB, shorter side 256.
        generator: source of all randomness.
    """
    for frame in PERTURBATIONS[perturbation](picture, generator):
        yield np.asarray(centre_crop(frame))


def _gaussian_noise(picture: Image.Image, generator: Generator) -> Frames:
    clean = pixels_of(picture)
    for index in range(FRAMES):
        noise = generator.standard_normal(clean.shape)
        yield picture_of(clean + 0.03 * (index > 0) * noise)


def _shot_noise(picture: Image.Image, generator: Generator) -> Frames:
    yield picture
    for _ in range(1, FRAMES):
        yield picture_of(generator.poisson(pixels_of(picture) * 300) / 300)


def _motion_blur(picture: Image.Image, generator: Generator) -> Frames:
    clean = pixels_of(picture)
    # From 2 degrees on: 88 and 92 round to the same pixels.
    for angle in np.deg2rad(2 + 4.0 * np.arange(FRAMES)):
        steps = np.arange(-10, 11, 2)
        copies = [displaced(clean, s * np.sin(angle), s * np.cos(angle)) for s in steps]
        yield picture_of(mean_of(copies))


def _zoom_blur(picture: Image.Image, generator: Generator) -> Frames:
    total = np.zeros_like(pixels_of(picture))
    for index in range(FRAMES):
        total += pixels_of(zoomed(picture, 1 + 0.004 * index))
        yield picture_of(total / (index + 1))


def _snow(picture: Image.Image, generator: Generator) -> Frames:
    clean = pixels_of(picture)
    flakes = (generator.random((*clean.shape[:2], 1)) < 0.01).astype(float)
    layer = np.max([displaced(flakes, step, 0.5 * step) for step in range(6)], axis=0)
    for index in range(FRAMES):
        yield picture_of(0.9 * clean + 0.6 * np.roll(layer, 2 * index, axis=0))


def _brightness(picture: Image.Image, generator: Generator) -> Frames:
    for index in range(FRAMES):
        yield picture_of(pixels_of(picture) + 0.02 * (index - FRAMES // 2))


def _translate(picture: Image.Image, generator: Generator) -> Frames:
    for index in range(TRANSLATE_FRAMES):
        yield picture_of(displaced(pixels_of(picture), 0, index - TRANSLATE_FRAMES // 2))


def _rotate(picture: Image.Image, generator: Generator) -> Frames:
    for index in range(FRAMES):
        yield picture.rotate(index - FRAMES // 2, Image.Resampling.BILINEAR)


def _tilt(picture: Image.Image, generator: Generator) -> Frames:
    x, y = picture.width / 2, picture.height / 2
    for index in range(FRAMES):
        # Points (u, v) from the centre go to (u, v) / (1 + slope (u + v)).
        slope = 1e-4 * (index - FRAMES // 2)
        rest = 1 - slope * (x + y)
        rows = ((1 + slope * x, slope * x, x * rest - x), (slope * y, 1 + slope * y, y * rest - y))
        coefficients = [value / rest for value in (*rows[0], *rows[1], slope, slope)]
        yield picture.transform(
            picture.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
        )


def _scale(picture: Image.Image, generator: Generator) -> Frames:
    for index in range(FRAMES):
        yield zoomed(picture, (2.5 * index + 40) / 100)


PERTURBATIONS: dict[str, Callable[[Image.Image, Generator], Frames]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "brightness": _brightness,
    "translate": _translate,
    "rotate": _rotate,
    "tilt": _tilt,
    "scale": _scale,
}
"""The 10 test perturbations by their published names, in the paper's order."""
