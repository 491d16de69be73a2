"""Perturbations by name."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.random import Generator

from oodbench.data.corruptions.noise import gaussian_noise, shot_noise, speckle_noise
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.perturbations import blur, geometry, weather
from oodbench.data.perturbations.framing import SIDE, centre
from oodbench.data.perturbations.noise import redrawn
from oodbench.data.perturbations.parameters import checked_name, parameters

Frames = Iterator[Picture]

OF_THE_CENTRE: dict[str, Callable[..., Frames]] = {
    "gaussian_noise": partial(redrawn, gaussian_noise),
    "shot_noise": partial(redrawn, shot_noise),
    "motion_blur": blur.motion_blur,
    "snow": weather.snow,
    "brightness": weather.brightness,
    "speckle_noise": partial(redrawn, speckle_noise),
    "gaussian_blur": blur.gaussian_blur,
    "spatter": weather.spatter,
}
"""Functions of the central square, by their names in sequences.yaml."""

OF_THE_WHOLE: dict[str, Callable[..., Frames]] = {
    "zoom_blur": blur.zoom_blur,
    "translate": geometry.translate,
    "rotate": geometry.rotate,
    "tilt": geometry.tilt,
    "scale": geometry.scale,
    "shear": geometry.shear,
}
"""Functions that move the whole picture and show its central square."""


def perturbed(picture: Picture, perturbation: str, rng: Generator) -> Frames:
    """Frames of a clip, with the published parameters.

    Args:
        picture: RGB, uint8 `(H, W, 3)`; the published pictures have a shorter side of 256.
        perturbation: one of the published names.
        rng: where random numbers are drawn from; see `clip_stream`.

    Returns:
        RGB frames uint8 `(224, 224, 3)`, one at a time: 31, of translate 41. Some are views of
        others: not to be written to.

    Raises:
        ConfigError: unknown perturbation.
        ValueError: the picture has another type or shape, or is smaller than a frame.
    """
    name = checked_name(perturbation)
    shape = picture.shape
    if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < SIDE:
        raise ValueError(
            f"expected a picture uint8 (H, W, 3), H and W from {SIDE} up, found {picture.dtype} "
            f"{shape}"
        )
    if name in OF_THE_CENTRE:
        return OF_THE_CENTRE[name](centre(picture), rng, **parameters(name))
    return OF_THE_WHOLE[name](picture, rng, **parameters(name))
