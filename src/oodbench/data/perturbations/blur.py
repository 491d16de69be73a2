"""Blurs that change their direction or width: motion, zoom, gaussian.

They yield frames uint8 `(224, 224, 3)`. They take a generator only to have the common form: nothing
here is random.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from oodbench.data.corruptions.gaussian import smoothed
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.pixels import Picture, truncated
from oodbench.data.perturbations.framing import centre
from oodbench.data.perturbations.geometry import scaled


def motion_blur(
    picture: Picture,
    rng: Generator,
    *,
    frames: int,
    radius: int,
    sigma: float,
    first: float,
    step: float,
) -> Iterator[Picture]:
    """A motion whose direction turns; see `motion_blurred`.

    Args:
        picture: the central square.
        rng: not used.
        frames: their number.
        radius: in pixels.
        sigma: in pixels.
        first: angle of the first frame, in degrees.
        step: from frame to frame, in degrees.
    """
    for index in range(frames):
        yield motion_blurred(picture, radius, sigma, first + index * step)


def zoom_blur(picture: Picture, rng: Generator, *, frames: int, step: float) -> Iterator[Picture]:
    """The mean of the clean picture and of ever more zooms of it; the first frame is clean.

    Args:
        picture: the whole, of which `scaled` shows the central square.
        rng: not used.
        frames: their number.
        step: frame i adds the picture enlarged by 1 + i `step`.
    """
    clean = centre(picture)
    # The published sum: float32 fractions of 255, which decide where decimals are cut.
    total = clean / np.float32(255)
    yield clean
    for index, zoom in enumerate(scaled(picture, (1 + step * i for i in range(1, frames))), 2):
        total += zoom / np.float32(255)
        yield truncated(total / np.float32(index) * np.float32(255))


def gaussian_blur(
    picture: Picture, rng: Generator, *, frames: int, truncate: float, first: float, step: float
) -> Iterator[Picture]:
    """A Gaussian blur that grows, borders repeated.

    Args:
        picture: the central square.
        rng: not used.
        frames: their number.
        truncate: where the kernel is cut, in sigma.
        first: sigma of the first frame, in pixels.
        step: from frame to frame, in pixels.
    """
    for index in range(frames):
        yield truncated(smoothed(picture, first + step * index, truncate))
