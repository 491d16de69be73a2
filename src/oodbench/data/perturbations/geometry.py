"""Movements of the picture behind the frame: translate, rotate, tilt, scale, shear.

All take the whole picture uint8 `(H, W, 3)`, move it about its own centre and yield the central
square, uint8 `(224, 224, 3)`; where the picture does not reach there is black. The generator is
there for the common form: nothing here is random.

The affine ones are those of the published code, torchvision's of 2018 on Pillow: its centre lies
half a pixel below and to the right of the picture's, and its shear shortens the picture by the
angle's cosine. Both are kept. Source: `_get_inverse_affine_matrix` of torchvision 0.2.
"""

from collections.abc import Iterable, Iterator
from math import cos, hypot, radians, sin

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.perturbations.framing import SIDE, corner


def translate(
    picture: Picture, rng: Generator, *, frames: int, first: int, step: int
) -> Iterator[Picture]:
    """Sideways, by whole pixels.

    Args:
        picture: the whole.
        rng: not used.
        frames: their number.
        first: shift of the first frame, in pixels; above 0 the picture goes to the right.
        step: from frame to frame, in pixels.
    """
    shifts = [first + index * step for index in range(frames)]
    margin = max(map(abs, shifts))
    padded = np.pad(picture, ((0, 0), (margin, margin), (0, 0)))
    top, left = corner(picture)
    for shift in shifts:
        start = margin + left - shift
        yield np.ascontiguousarray(padded[top : top + SIDE, start : start + SIDE])


def rotate(
    picture: Picture, rng: Generator, *, frames: int, first: float, step: float
) -> Iterator[Picture]:
    """Clockwise by an angle.

    Args:
        picture: the whole.
        rng: not used.
        frames: their number.
        first: angle of the first frame, in degrees.
        step: from frame to frame, in degrees.
    """
    angles = (radians(first + index * step) for index in range(frames))
    return _affine(picture, (np.array([[cos(a), sin(a)], [-sin(a), cos(a)]]) for a in angles))


def shear(
    picture: Picture, rng: Generator, *, frames: int, first: float, step: float
) -> Iterator[Picture]:
    """The lower part to the left, the upper one to the right, for angles above 0.

    Args:
        picture: the whole.
        rng: not used.
        frames: their number.
        first: angle of the first frame, in degrees.
        step: from frame to frame, in degrees.
    """
    angles = (radians(first + index * step) for index in range(frames))
    return _affine(picture, (np.array([[cos(a), sin(a)], [0, 1]]) / cos(a) for a in angles))


def scale(
    picture: Picture, rng: Generator, *, frames: int, first: float, step: float
) -> Iterator[Picture]:
    """Smaller or larger, bilinear without smoothing.

    Args:
        picture: the whole.
        rng: not used.
        frames: their number.
        first: size in the first frame, in percent.
        step: from frame to frame, in percent.
    """
    return scaled(picture, ((first + index * step) / 100 for index in range(frames)))


def scaled(picture: Picture, factors: Iterable[float]) -> Iterator[Picture]:
    """The central squares of a picture enlarged by each of the factors."""
    return _affine(picture, (np.eye(2) / factor for factor in factors))


def tilt(
    picture: Picture, rng: Generator, *, frames: int, first: float, step: float
) -> Iterator[Picture]:
    """Turned out of its plane about both axes by the same angle, seen in perspective.

    The focal length is the picture's diagonal. As published, the picture lies one pixel behind the
    focal plane, so that even at an angle of 0 it is smaller by a three hundredth or less.

    Args:
        picture: the whole.
        rng: not used.
        frames: their number.
        first: angle of the first frame, in degrees.
        step: from frame to frame, in degrees.
    """
    top, left = corner(picture)
    crop = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    for index in range(frames):
        matrix = crop @ tilting(picture.shape[0], picture.shape[1], radians(first + index * step))
        frame: Picture = cv2.warpPerspective(picture, matrix, (SIDE, SIDE))
        yield frame


def tilting(height: int, width: int, angle: float) -> NDArray[np.float64]:
    """From places (x, y, 1) in a picture to where `tilt` shows them, `(3, 3)`."""
    focal = hypot(width, height)
    c, s = cos(angle), sin(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ [[c, 0, -s], [0, 1, 0], [s, 0, c]]
    space = turn @ [[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]]
    space[2, 2] += focal
    lens = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    seen: NDArray[np.float64] = lens @ space
    return seen


def _affine(picture: Picture, backward: Iterable[NDArray[np.float64]]) -> Iterator[Picture]:
    """Frames under linear maps `(2, 2)`, from a frame's places to the picture's."""
    image = Image.fromarray(picture)
    middle = np.array([picture.shape[1], picture.shape[0]]) * 0.5 + 0.5
    top, left = corner(picture)
    for linear in backward:
        (a, b), (c, d) = linear
        x, y = middle - linear @ (middle - [left, top])
        coefficients = (a, b, x, c, d, y)
        yield np.asarray(
            image.transform(
                (SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
            )
        )
