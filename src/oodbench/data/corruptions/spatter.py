"""Spatter: drops of water or mud on the lens."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from oodbench.data.corruptions.gaussian import smoothed
from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Picture, in_colour, truncated

WATER = np.array([175, 238, 238], np.float32)
"""Pale turquoise, RGB."""
MUD = np.array([63, 42, 20], np.float32)
"""Brown, RGB."""
_SOLID = 0.8
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def spatter(
    picture: Picture,
    rng: Generator,
    *,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: bool,
) -> Picture:
    """Drops where a smooth normal field is high. Takes and returns uint8 `(H, W, 3)`.

    Args:
        mean: of the normal field.
        std: of the normal field.
        sigma: of its smoothing, in pixels.
        threshold: below it there is no liquid.
        strength: of the water's tint; for mud the sigma, in pixels, that softens its edges.
        mud: brown and opaque, else water that lightens.
    """
    liquid = wet_areas(rng, picture.shape[:2], mean=mean, std=std, sigma=sigma, threshold=threshold)
    if not mud:
        return wetted(picture, liquid, strength)
    pixels = picture.astype(np.float32)
    cover = smoothed((liquid > threshold).astype(np.float64), strength).astype(np.float32)
    cover[cover < _SOLID] = 0
    pixels *= in_colour(1 - cover)
    pixels += cv2.transform(cover, MUD[:, None])
    return truncated(pixels)


def wet_areas(
    rng: Generator,
    shape: tuple[int, ...],
    *,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
) -> NDArray[np.float64]:
    """Depth of the liquid of `spatter`, of `shape` (H, W), 0 where it is dry; arguments as there.

    In float64, because water's edges and mud's border jump with the last bits.
    """
    field = np.asarray(smoothed(rng.normal(mean, std, shape), sigma), np.float64)
    return np.where(field < threshold, 0.0, field)


def wetted(picture: Picture, liquid: NDArray[np.float64], strength: float) -> Picture:
    """A picture `(H, W, 3)` under water of a depth `(H, W)`; `strength` of its tint."""
    pixels = picture.astype(np.float32)
    pixels += cv2.transform(_glints(liquid), np.float32(strength) * WATER[:, None])
    return truncated(pixels)


def _glints(liquid: NDArray[np.float64]) -> NDArray[np.float32]:
    """How strongly water tints each pixel, `(H, W)`, 0..1: relief lit from one side."""
    depth = (liquid * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(depth, 50, 150), cv2.DIST_L2, 5)
    distance = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    relief = cv2.filter2D(cv2.equalizeHist(distance), cv2.CV_8U, _RELIEF)
    tint: NDArray[np.float32] = depth * cv2.blur(relief, (3, 3)).astype(np.float32)
    return tint / max(float(tint.max()), 1.0)
