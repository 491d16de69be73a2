"""Digital corruptions: contrast, elastic transform, pixelate, JPEG, saturate.

All take a picture uint8 `(H, W, 3)` and a generator, and return a picture of that shape.
"""

from io import BytesIO

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from oodbench.data.corruptions.colour import from_hsv, to_hsv
from oodbench.data.corruptions.gaussian import smoothed_mirrored
from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import BYTE_AS_FRACTION, Picture, truncated
from oodbench.data.corruptions.sampling import sampled


def contrast(picture: Picture, rng: Generator, *, factor: float) -> Picture:
    """Every channel pulled towards its mean.

    Args:
        factor: of the difference to the mean.
    """
    means = np.array(cv2.mean(picture)[:3]) / 255
    table = (BYTE_AS_FRACTION[:, None] - means) * factor + means
    made: Picture = cv2.LUT(picture, truncated(table * 255)[None])
    return made


def elastic_transform(
    picture: Picture,
    rng: Generator,
    *,
    side: int,
    displacement: float,
    smoothing: float,
    jitter: float,
) -> Picture:
    """A random affine map, then every pixel moved along a smooth random field.

    Sizes are in units of `side`, whatever the picture's size. The published code has 244 where
    224 was meant; that is kept. Another package's transform of this name, imagecorruptions', is
    not the published one.

    Args:
        side: in pixels.
        displacement: factor of the field, which is uniform in [-1, 1] before it is smoothed.
        smoothing: sigma of its Gaussian, cut at 3 sigma.
        jitter: the three points that set the affine map move by up to so much in x and y.
    """
    height, width = picture.shape[:2]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    (a, b, c), (d, e, f) = _random_affine(height, width, rng, side * jitter)
    pixels = sampled(
        picture.astype(np.float32),
        *(d * columns + e * rows + f, a * columns + b * rows + c),
        mirror="pixels",
    )
    for places in (columns, rows):
        moves = smoothed_mirrored(rng.uniform(-1, 1, (height, width)), side * smoothing)
        places += (side * displacement * moves).astype(np.float32)
    return truncated(sampled(pixels, rows, columns, mirror="edges"))


def _random_affine(height: int, width: int, rng: Generator, jitter: float) -> NDArray[np.float32]:
    """Map from a pixel of the result to the place in the picture that it shows, `(2, 3)`.

    Three corners of a square about the centre move. As in the published code the centre is
    (height // 2, width // 2), read as (x, y).
    """
    centre, half = np.array([height // 2, width // 2]), min(height, width) // 3
    corners = (centre + half * np.array([[1, 1], [1, -1], [-1, -1]])).astype(np.float32)
    moved = corners + rng.uniform(-jitter, jitter, corners.shape).astype(np.float32)
    forward = cv2.getAffineTransform(corners, moved)
    backward: NDArray[np.float64] = cv2.invertAffineTransform(forward)
    return backward.astype(np.float32)


def pixelate(picture: Picture, rng: Generator, *, factor: float) -> Picture:
    """Made smaller by box means, and larger again without smoothing.

    Enlarging with a box filter, as the published code does, takes the nearest pixel.

    Args:
        factor: of both sides, truncated to whole pixels.
    """
    height, width = picture.shape[:2]
    size = max(1, int(width * factor)), max(1, int(height * factor))
    small = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.NEAREST))


def jpeg_compression(picture: Picture, rng: Generator, *, quality: int) -> Picture:
    """Compressed to a JPEG file, 4:2:0, as Pillow writes it by default, and decoded.

    Written by OpenCV, which is quicker and has the same encoder: the bytes are Pillow's.

    Args:
        quality: from 1 to 95.
    """
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.array(Image.open(BytesIO(file)))


def saturate(picture: Picture, rng: Generator, *, factor: float, added: float) -> Picture:
    """Saturation of the HSV space changed and cut at 1; grey counts as red there.

    Args:
        factor: of the saturation.
        added: to it, as a fraction.
    """
    hsv = to_hsv(picture)
    saturation = hsv[..., 1] * np.float32(factor) + np.float32(added)
    hsv[..., 1] = np.minimum(saturation, np.float32(1))
    return from_hsv(hsv)
