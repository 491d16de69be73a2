"""Snow that turns, light that changes, water that runs down.

All take the central square uint8 `(224, 224, 3)` and yield frames of that shape.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from oodbench.data.corruptions.colour import from_hsv, to_hsv
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.corruptions.spatter import wet_areas, wetted
from oodbench.data.corruptions.weather import flakes, snowed, whitened


def snow(
    picture: Picture,
    rng: Generator,
    *,
    frames: int,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    picture_weight: float,
    first: float,
    step: float,
) -> Iterator[Picture]:
    """The same flakes in all frames, their motion's direction turns; see the corruption `snow`.

    Args:
        picture: the central square.
        rng: the flakes are drawn from it.
        frames: their number.
        mean, std, zoom, threshold, radius, sigma, picture_weight: as of the corruption.
        first: angle of the motion in the first frame, in degrees.
        step: from frame to frame, in degrees.
    """
    falling = flakes(rng, picture.shape[:2], mean=mean, std=std, zoom=zoom, threshold=threshold)
    ground = whitened(picture, picture_weight)
    for index in range(frames):
        yield snowed(ground.copy(), motion_blurred(falling, radius, sigma, first + index * step))


def brightness(
    picture: Picture, rng: Generator, *, frames: int, first: float, step: float
) -> Iterator[Picture]:
    """Value in HSV space shifted, and clipped at zero and at full intensity.

    Args:
        picture: the central square.
        rng: not used.
        frames: their number.
        first: added in the first frame, in percent of full intensity.
        step: from frame to frame, in percent of full intensity.
    """
    hsv = to_hsv(picture)
    value = hsv[..., 2].copy()
    for index in range(frames):
        hsv[..., 2] = np.clip(value + np.float32((first + index * step) / 100), 0, 1)
        yield from_hsv(hsv)


def spatter(
    picture: Picture,
    rng: Generator,
    *,
    frames: int,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    flow: Sequence[float],
) -> Iterator[Picture]:
    """Drops of water that run down; see the corruption `spatter`.

    Args:
        picture: the central square.
        rng: the drops are drawn from it.
        frames: their number.
        mean, std, sigma, threshold, strength: as of the corruption.
        flow: see `flowed`.
    """
    liquid = wet_areas(rng, picture.shape[:2], mean=mean, std=std, sigma=sigma, threshold=threshold)
    for _ in range(frames):
        yield wetted(picture, liquid, strength)
        liquid = flowed(liquid, flow)


def flowed(liquid: NDArray[np.float64], flow: Sequence[float]) -> NDArray[np.float64]:
    """The liquid `(H, W)` of the next frame.

    Args:
        liquid: depth.
        flow: share of a pixel's liquid that goes one row up, stays, goes one row down, two, …;
            what leaves the picture is gone. Source: `numpy.convolve(…, mode="same")`, which has
            its middle there for the published four shares.
    """
    made = np.zeros_like(liquid)
    made[:-1] = flow[0] * liquid[1:]
    for down, share in enumerate(flow[1:]):
        made[down:] += share * liquid[: len(liquid) - down]
    return made
