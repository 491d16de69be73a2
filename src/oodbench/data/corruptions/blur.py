"""Blurs: defocus, glass, motion, zoom, gaussian.

All take a picture uint8 `(H, W, 3)` and a generator, and return a picture of that shape.
"""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from oodbench.data.corruptions.gaussian import smoothed
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Picture, truncated
from oodbench.data.corruptions.shuffling import shuffled
from oodbench.data.corruptions.zooming import sum_of_zooms

_NOTHING = 1e-12


@lru_cache(maxsize=16)
def disk_kernel(radius: int, alias_sigma: float) -> NDArray[np.float32]:
    """A disk whose edge is softened by a small Gaussian, `(n, n)`, without its empty border.

    Up to a radius of 8 on a grid of 17 with a Gaussian of 3 pixels, above that on the smallest
    grid and with 5. The sum is made 1 before the softening, as in the published code.
    """
    reach, size = (8, 3) if radius <= 8 else (radius, 5)
    squares = np.arange(-reach, reach + 1) ** 2
    disk = (squares[:, None] + squares <= radius**2).astype(np.float32)
    disk /= disk.sum()
    soft: NDArray[np.float32] = cv2.GaussianBlur(disk, ksize=(size, size), sigmaX=alias_sigma)
    reached = np.flatnonzero(soft.max(axis=0) > _NOTHING)
    return np.ascontiguousarray(soft[reached[0] : reached[-1] + 1, reached[0] : reached[-1] + 1])


def defocus_blur(picture: Picture, rng: Generator, *, radius: int, alias_sigma: float) -> Picture:
    """A lens out of focus: the mean over a disk, borders mirrored about the outermost pixels.

    Args:
        radius: of the disk, in pixels.
        alias_sigma: of the softening of its edge, in pixels.
    """
    pixels = picture.astype(np.float32)
    return truncated(cv2.filter2D(pixels, cv2.CV_32F, disk_kernel(radius, alias_sigma)))


def glass_blur(
    picture: Picture, rng: Generator, *, sigma: float, max_shift: int, passes: int
) -> Picture:
    """Frosted glass: a Gaussian blur, near pixels shuffled (see `shuffled`), the blur again.

    Args:
        sigma: of both blurs, in pixels.
        max_shift: how far a pixel's new value comes from at most, in pixels.
        passes: of the shuffle.
    """
    soft = truncated(smoothed(picture, sigma))
    return truncated(smoothed(shuffled(soft, rng, max_shift, passes), sigma))


def motion_blur(
    picture: Picture, rng: Generator, *, radius: int, sigma: float, max_angle: float
) -> Picture:
    """The camera moved; see `motion_blurred`.

    Args:
        radius: in pixels.
        sigma: in pixels.
        max_angle: the angle is drawn between minus this and this, in degrees.
    """
    return motion_blurred(picture, radius, sigma, rng.uniform(-max_angle, max_angle))


def zoom_blur(picture: Picture, rng: Generator, *, stop: float, step: float) -> Picture:
    """The camera moved towards the scene: mean of the picture and of its zooms.

    The zooms are `numpy.arange(1, stop, step)`, in which rounding lets some a last step of `stop`
    itself through; the first is the picture once more.
    """
    factors = np.arange(1, stop, step)
    pixels = picture.astype(np.float32)
    total = sum_of_zooms(pixels, factors[1:])
    total += 2 * pixels
    total /= len(factors) + 1
    return truncated(total)


def gaussian_blur(picture: Picture, rng: Generator, *, sigma: float) -> Picture:
    """A Gaussian blur, borders repeated, cut at 4 sigma.

    Args:
        sigma: in pixels.
    """
    return truncated(smoothed(picture, sigma))
