"""Noise: gaussian, shot, impulse, speckle.

All take a picture uint8 `(H, W, 3)` and a generator, and return a picture of that shape. Draws are
those of the published code and in its order, on a NumPy generator instead of `numpy.random`.
"""

import numpy as np
from numpy.random import Generator

from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import BYTE_AS_FRACTION, Picture, truncated


def gaussian_noise(picture: Picture, rng: Generator, *, std: float) -> Picture:
    """Normal noise, drawn for every pixel and channel.

    Args:
        std: as a fraction of full intensity.
    """
    noise = rng.normal(scale=std, size=picture.shape)
    noise *= 255
    noise += picture
    return truncated(noise)


def shot_noise(picture: Picture, rng: Generator, *, photons: int) -> Picture:
    """Poisson noise.

    Args:
        photons: expected number at full intensity.
    """
    counts = rng.poisson(cv2.LUT(picture, BYTE_AS_FRACTION * photons))
    np.minimum(counts, photons, out=counts)
    levels = (np.arange(photons + 1) / float(photons) * 255).astype(np.uint8)
    noisy: Picture = levels[counts]
    return noisy


def impulse_noise(picture: Picture, rng: Generator, *, share: float) -> Picture:
    """Salt and pepper in equal parts, for every channel independently.

    Source: `random_noise(mode="s&p")` of scikit-image, with its two draws per value.

    Args:
        share: expected share of the values that are replaced.
    """
    replaced = rng.random(picture.shape) <= share
    salt = rng.random(picture.shape) <= 0.5
    noisy: Picture = cv2.LUT(picture, (BYTE_AS_FRACTION * 255).astype(np.uint8))
    np.copyto(noisy, salt * np.uint8(255), where=replaced)
    return noisy


def speckle_noise(picture: Picture, rng: Generator, *, std: float) -> Picture:
    """Normal noise in proportion to the value it is added to.

    Args:
        std: as a fraction of the value.
    """
    noise = rng.normal(scale=std, size=picture.shape)
    noise += 1
    noise *= picture
    return truncated(noise)
