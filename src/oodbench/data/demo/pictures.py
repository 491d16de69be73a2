"""Picture operations of the demo data: pixels, sketches, cue conflicts."""

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

Pixels = NDArray[np.float64]
"""Float picture `(H, W, 3)`, RGB, nominally in [0, 1]."""

SIZE = 224
"""Side in pixels of the pictures that the published benchmarks store ready for use."""


def random_generator(*key: str) -> np.random.Generator:
    """A generator that depends on `key` alone."""
    return np.random.default_rng(int.from_bytes(sha256("/".join(key).encode()).digest()[:8]))


def pixels_of(picture: Image.Image) -> Pixels:
    """Picture as floats `(H, W, 3)` in [0, 1]."""
    return np.asarray(picture.convert("RGB"), dtype=np.float64) / 255


def picture_of(pixels: Pixels) -> Image.Image:
    """RGB picture of floats, clipped to [0, 1]."""
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def resized(picture: Image.Image, side: int = 256) -> Image.Image:
    """Bilinear, antialiased, to a shorter side of `side` pixels (torchvision's `Resize`)."""
    width, height = picture.size
    shorter = min(width, height)
    size = (side * width // shorter, side * height // shorter)
    return picture.resize(size, Image.Resampling.BILINEAR)


def centre_crop(picture: Image.Image, side: int = SIZE) -> Image.Image:
    """The square of `side` pixels in the middle (torchvision's `CenterCrop`)."""
    left = round((picture.width - side) / 2)
    top = round((picture.height - side) / 2)
    return picture.crop((left, top, left + side, top + side))


def corner_crop(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A random square of a third of the area, in its own resolution."""
    side = int(min(picture.size) * 0.58)
    left = int(generator.integers(0, picture.width - side + 1))
    top = int(generator.integers(0, picture.height - side + 1))
    return picture.crop((left, top, left + side, top + side))


def rotation(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Turned by 60..120 degrees to a random side, black corners."""
    angle = generator.uniform(60, 120) * generator.choice([-1, 1])
    return picture.rotate(float(angle), Image.Resampling.BILINEAR)


def sketch(picture: Image.Image) -> Image.Image:
    """Dark edges on white, RGB, same aspect, shorter side 256."""
    edges = resized(picture, 260).convert("L").filter(ImageFilter.GaussianBlur(1))
    edges = ImageOps.crop(edges.filter(ImageFilter.FIND_EDGES), 2)  # the filter skips the border
    return ImageOps.invert(ImageOps.autocontrast(edges, cutoff=(0, 1))).convert("RGB")


def cue_conflict(
    shape: Image.Image, texture: Image.Image, generator: np.random.Generator
) -> Image.Image:
    """Shape of one picture in the texture of another, RGB 224x224.

    A stand-in for style transfer: the texture picture is cut into 16 patches in random order, which
    keeps its colours and local patterns; the shape picture's edges and shading darken them.
    """
    patches = list(_patches(pixels_of(centre_crop(resized(texture)))))
    order = generator.permutation(len(patches))
    rows = [np.concatenate([patches[i] for i in order[4 * k : 4 * k + 4]], 1) for k in range(4)]
    edges = pixels_of(centre_crop(sketch(shape)))
    shading = pixels_of(centre_crop(resized(shape)).convert("L"))
    return picture_of(np.concatenate(rows) * edges**2 * (0.45 + 0.75 * shading))


def _patches(pixels: Pixels) -> Iterator[Pixels]:
    side = SIZE // 4
    for row in range(4):
        for column in range(4):
            yield pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]
