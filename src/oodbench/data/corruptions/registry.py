"""Corruptions by name and severity."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from oodbench.data.corruptions import blur, digital, noise, weather
from oodbench.data.corruptions.parameters import checked_name, parameters
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.corruptions.spatter import spatter

FUNCTIONS: dict[str, Callable[..., Picture]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter,
    "saturate": digital.saturate,
}
"""Functions by their names in severities.yaml."""


def corrupt(picture: Picture, corruption: str, severity: int, rng: Generator) -> Picture:
    """A corrupted copy of a picture, with the published parameters.

    Args:
        picture: RGB, uint8 `(H, W, 3)`; the published pictures have H = W = 224.
        corruption: one of `FUNCTIONS`, the published names.
        severity: 1 to 5.
        rng: where random numbers are drawn from; see `picture_stream`.

    Returns:
        RGB, uint8 `(H, W, 3)`.

    Raises:
        ConfigError: unknown corruption or severity; for frost, no package with its textures.
        ValueError: the picture has another type or shape.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"expected a picture uint8 (H, W, 3), found {picture.dtype} {picture.shape}"
        )
    return FUNCTIONS[checked_name(corruption)](picture, rng, **parameters(corruption, severity))
