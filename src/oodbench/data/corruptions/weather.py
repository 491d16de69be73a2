"""Weather: snow, frost, fog, brightness.

All take a picture uint8 `(H, W, 3)` and a generator, and return a picture of that shape.
"""

from math import ceil

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from oodbench.data.corruptions.colour import from_hsv, to_hsv
from oodbench.data.corruptions.frost_textures import frost_textures
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Field, Picture, in_colour, truncated
from oodbench.data.corruptions.plasma import plasma
from oodbench.data.corruptions.zooming import zoomed


def snow(
    picture: Picture,
    rng: Generator,
    *,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    picture_weight: float,
    min_angle: float,
    max_angle: float,
) -> Picture:
    """Falling snow, and a picture that is whiter for it.

    The flakes are the large values of an enlarged normal field, blurred along a falling line (see
    `motion_blurred`) and laid over the picture twice, the second time upside down.

    Args:
        mean: of the normal field, as a fraction of full intensity.
        std: of the normal field.
        zoom: factor by which it is enlarged.
        threshold: below it there is no snow.
        radius: of the motion blur, in pixels.
        sigma: of the motion blur, in pixels.
        picture_weight: share of the picture; the rest is its whitened form, max(x, 1.5 grey + .5).
        min_angle: of the motion, in degrees; -90 is upwards.
        max_angle: of the motion, in degrees.
    """
    falling = flakes(rng, picture.shape[:2], mean=mean, std=std, zoom=zoom, threshold=threshold)
    layer = motion_blurred(falling, radius, sigma, rng.uniform(min_angle, max_angle))
    return snowed(whitened(picture, picture_weight), layer)


def flakes(
    rng: Generator,
    shape: tuple[int, ...],
    *,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
) -> Picture:
    """The flakes of `snow` before they move, uint8 of `shape` (H, W); arguments as there."""
    # float64: a flake appears or not by the last bit of the field
    field = zoomed(rng.normal(mean, std, shape), zoom)
    field[field < threshold] = 0
    field *= 255
    return truncated(field)


def whitened(picture: Picture, picture_weight: float) -> Field:
    """What is under the flakes of `snow`, float32 `(H, W, 3)` on the scale 0..255."""
    pixels = picture.astype(np.float32)
    white = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    white *= 1.5
    white += 127.5
    whiter = np.maximum(pixels, in_colour(white))
    whiter *= 1 - picture_weight
    pixels *= picture_weight
    pixels += whiter
    return pixels


def snowed(pixels: Field, layer: Picture) -> Picture:
    """`layer` `(H, W)` added twice, the second time upside down, to `pixels`, overwritten."""
    pixels += in_colour(layer.astype(np.float32) + layer[::-1, ::-1])
    return truncated(pixels)


def frost(
    picture: Picture, rng: Generator, *, picture_weight: float, frost_weight: float
) -> Picture:
    """Weighted sum of the picture and a crop of a photograph of frost.

    One of the first five textures at random: the published code never draws the sixth. A texture
    smaller than the picture, which the published code could not use, is enlarged.

    Args:
        picture_weight: of the picture.
        frost_weight: of the texture.

    Raises:
        ConfigError: no package with the textures is installed.
    """
    textures = frost_textures()
    texture = _covering(textures[rng.integers(len(textures))], picture.shape[0], picture.shape[1])
    height, width = picture.shape[:2]
    top = rng.integers(0, texture.shape[0] - height)
    left = rng.integers(0, texture.shape[1] - width)
    crop = texture[top : top + height, left : left + width]
    # The published products by table: float64, so that truncation finds the same integers.
    bytes_ = np.arange(256.0)
    total: NDArray[np.float64] = cv2.LUT(picture, picture_weight * bytes_)
    total += cv2.LUT(crop, frost_weight * bytes_)
    return truncated(total)


def _covering(texture: Picture, height: int, width: int) -> Picture:
    """A texture at least one pixel larger than the picture on both sides."""
    factor = max((height + 1) / texture.shape[0], (width + 1) / texture.shape[1])
    if factor <= 1:
        return texture
    size = (ceil(texture.shape[1] * factor), ceil(texture.shape[0] * factor))
    enlarged: Picture = cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def fog(picture: Picture, rng: Generator, *, amplitude: float, decay: float) -> Picture:
    """Fog of random thickness added, then the whole scaled back to the picture's own maximum.

    The map is the corner of a plasma fractal whose side is the next power of two (256 for 224).

    Args:
        amplitude: of the thickest fog, in units of full intensity.
        decay: of the roughness from scale to scale; see `plasma`.
    """
    height, width = picture.shape[:2]
    size = max(2, 1 << (max(height, width) - 1).bit_length())
    thickness = plasma(rng, size, decay)[:height, :width].astype(np.float32)
    thickness *= 255 * amplitude
    foggy = in_colour(thickness)
    foggy += picture
    brightest = int(picture.max()) / 255
    foggy *= np.float32(brightest / (brightest + amplitude))
    return truncated(foggy)


def brightness(picture: Picture, rng: Generator, *, added: float) -> Picture:
    """Value in HSV space raised, and clipped at full intensity.

    Args:
        added: as a fraction of full intensity.
    """
    hsv = to_hsv(picture)
    hsv[..., 2] = np.minimum(hsv[..., 2] + np.float32(added), np.float32(1))
    return from_hsv(hsv)
