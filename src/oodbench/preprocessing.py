"""From a decoded picture to the pixels that a model sees; mean and std are the model's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.checking import one_of
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.resampling.taps import FILTERS, taps
from oodbench.core.resampling.unresized import LARGEST, Layout, Unresized

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
BACKENDS = ("pil", "tensor")

LARGEST_SIDE = 20_000
"""Pixels: such a picture takes 1.2 GB."""

MOST_PIXELS = 100_000_000
"""Of a resized picture, or four times the square of the side that is asked for: 0.4 GB."""

Transform = Callable[[Image.Image], NDArray[np.uint8]]
"""An RGB picture -> pixels uint8 `(height, width, 3)`."""

Resizer = Callable[[Image.Image, tuple[int, int]], Image.Image]


class Preprocessing:
    """Centre-crop to a square, resize, centre-crop, resize again: each step where it is asked for.

    Sizes, rounding and interpolation are those of torchvision's Resize and CenterCrop on PIL
    pictures (antialiased), which the published run used.

    Args:
        square_crop: first take the centred square whose side is the shorter side.
        resize: pixels of the shorter side (int), or `[height, width]` whatever the aspect ratio.
        crop: side in pixels of the centred square that is kept; a smaller picture is padded black.
        resize_after_crop: side in pixels to which the (square) crop is scaled.
        interpolation: nearest, bilinear, bicubic, lanczos or box, for every resize.
        backend: what resizes: pil, or tensor (torchvision on uint8 tensors, antialiased), about
            three times as fast, whose pixels differ by one or two grey levels in less than 1 % of
            the values; it knows neither lanczos nor box.
        name: the config's name, for the table.

    Raises:
        ConfigError: unknown interpolation or backend, or a size below one pixel.
    """

    def __init__(
        self,
        *,
        square_crop: bool = False,
        resize: int | Sequence[int] | None = None,
        crop: int | None = None,
        resize_after_crop: int | None = None,
        interpolation: str = "bilinear",
        backend: str = "pil",
        name: str = "",
    ) -> None:
        if interpolation not in INTERPOLATIONS:
            raise ConfigError(
                f"preprocessing.interpolation={interpolation}: available: "
                f"{', '.join(INTERPOLATIONS)}"
            )
        one_of("preprocessing.backend", backend, BACKENDS)
        self.name = name
        self.square_crop = square_crop
        self.resize = _checked_resize(resize)
        self.crop = _checked_side("crop", crop)
        self.resize_after_crop = _checked_side("resize_after_crop", resize_after_crop)
        self._scale = (
            tensor_resizer(interpolation) if backend == "tensor" else pil_resizer(interpolation)
        )
        exact = backend == "pil" and interpolation in FILTERS
        self._filter = interpolation if exact else None

    @property
    def notes(self) -> list[str]:
        """What whoever reads a result has to know of its pixels: that all of them are padded."""
        if self.resize is None or self.crop is None:
            return []
        given = self.resize if isinstance(self.resize, int) else list(self.resize)
        side = self.resize if isinstance(self.resize, int) else min(self.resize)
        if side >= self.crop:
            return []
        return [
            f"preprocessing.resize={given} leaves {side} pixels, and preprocessing.crop="
            f"{self.crop} pads every picture with black: resize to no less than the crop"
        ]

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Pixels uint8 `(height, width, 3)` of an RGB picture.

        Raises:
            DataError: resized, it would be larger than `MOST_PIXELS`.
        """
        if self.square_crop:
            picture = centre_crop(picture, min(picture.size))
        if self.resize is not None:
            picture = self._resized(picture, self._first_size(picture.size))
        if self.crop is not None:
            picture = centre_crop(picture, self.crop)
        if self.resize_after_crop is not None:
            picture = self._resized(picture, resized_size(picture.size, self.resize_after_crop))
        return np.array(picture, dtype=np.uint8)

    def unresized(self, picture: Image.Image) -> Unresized | None:
        """What the pixels of an RGB picture are made of, for whatever resizes it elsewhere.

        None where that is not one antialiased resize by Pillow, first of the rows and then of the
        columns, without padding, or takes more bytes than is worth it.

        Raises:
            DataError: see `__call__`.
        """
        found = self._one_resize(*picture.size)
        if self._filter is None or found is None:
            return None
        across, down = found
        columns = taps(across.size, across.resized, self._filter, across.start, across.stop)
        rows = taps(down.size, down.resized, self._filter, down.start, down.stop)
        left, top = across.offset + columns.start, down.offset + rows.start
        right, bottom = across.offset + columns.stop, down.offset + rows.stop
        if Layout.of(bottom - top, right - left, rows, columns).nbytes > LARGEST:
            return None
        needed = picture
        if (left, top, right, bottom) != (0, 0, *picture.size):
            needed = picture.crop((left, top, right, bottom))
        return Unresized(np.asarray(needed, dtype=np.uint8), rows, columns)

    def _one_resize(self, width: int, height: int) -> "tuple[_Side, _Side] | None":
        """The width and the height of a picture; None if they are not resized just once."""
        sides = _Side.of(width), _Side.of(height)
        if self.square_crop:
            sides = _cropped(sides, min(width, height))
        once = again = False
        if self.resize is not None:
            sides, once = _scaled(sides, self._first_size(_lengths(sides)))
        if self.crop is not None:
            if min(_lengths(sides)) < self.crop:
                return None
            sides = _cropped(sides, self.crop)
        if self.resize_after_crop is not None:
            after = resized_size(_lengths(sides), self.resize_after_crop)
            sides, again = _scaled(sides, after)
        return sides if once != again and not _columns_may_be_first(*sides) else None

    def _first_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after the first resize, which there is.

        Raises:
            DataError: that would be too many pixels.
        """
        assert self.resize is not None
        resized = resized_size(size, self.resize)
        if isinstance(self.resize, int):
            _refuse_huge(size, resized, self.resize)
        return resized

    def _resized(self, picture: Image.Image, size: tuple[int, int]) -> Image.Image:
        return picture if size == picture.size else self._scale(picture, size)


@dataclass(frozen=True)
class _Side:
    """Width or height of a picture: a part of it is resized, and of that a part is kept.

    Attributes:
        offset, size: of the part that is resized.
        resized: its size after that.
        start, stop: what is kept of it.
    """

    offset: int
    size: int
    resized: int
    start: int
    stop: int

    @classmethod
    def of(cls, size: int) -> "_Side":
        """All of it, as it is."""
        return cls(0, size, size, 0, size)

    @property
    def length(self) -> int:
        """Of what is kept."""
        return self.stop - self.start

    def cropped(self, side: int) -> "_Side":
        start = self.start + _margin(self.length, side)
        return replace(self, start=start, stop=start + side)

    def scaled(self, size: int) -> "_Side":
        """What is kept is resized, and was not before."""
        return _Side(self.offset + self.start, self.length, size, 0, size)


_Sides = tuple[_Side, _Side]


def _lengths(sides: _Sides) -> tuple[int, int]:
    return sides[0].length, sides[1].length


def _cropped(sides: _Sides, side: int) -> _Sides:
    return sides[0].cropped(side), sides[1].cropped(side)


def _scaled(sides: _Sides, size: tuple[int, int]) -> tuple[_Sides, bool]:
    """And whether that changes anything."""
    if size == _lengths(sides):
        return sides, False
    return (sides[0].scaled(size[0]), sides[1].scaled(size[1])), True


def _columns_may_be_first(across: _Side, down: _Side) -> bool:
    """Whether Pillow 13 resizes the columns before the rows: where the picture gets lower by more
    than twice as many pixels as it gets narrower. Older ones never do."""
    lower, narrower = down.size - down.resized, across.size - across.resized
    return lower > 0 and lower >= 2 * narrower


def pil_resizer(interpolation: str) -> Resizer:
    """Resize a picture to (width, height) as Pillow does."""
    resampling = INTERPOLATIONS[interpolation]
    return lambda picture, size: picture.resize(size, resampling)


def tensor_resizer(interpolation: str) -> Resizer:
    """Resize a picture to (width, height) as torchvision does with uint8 tensors, antialiased.

    Raises:
        ConfigError: torchvision has no such interpolation for tensors.
    """
    import torch
    from torchvision.transforms.v2.functional import InterpolationMode, resize_image

    modes = ("nearest", "bilinear", "bicubic")
    if interpolation not in modes:
        raise ConfigError(
            f"preprocessing.interpolation={interpolation}: with preprocessing.backend=tensor "
            f"available: {', '.join(modes)}"
        )
    mode = InterpolationMode(interpolation)

    def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
        width, height = size
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        scaled = resize_image(pixels, [height, width], mode, antialias=True)
        return Image.fromarray(scaled.permute(1, 2, 0).contiguous().numpy())

    return resized


def resized_size(size: tuple[int, int], resize: int | tuple[int, int]) -> tuple[int, int]:
    """(width, height) after a resize; an int sets the shorter side, the longer one is truncated."""
    if isinstance(resize, tuple):
        height, width = resize
        return width, height
    width, height = size
    if width <= height:
        return resize, int(resize * height / width)
    return int(resize * width / height), resize


def _refuse_huge(size: tuple[int, int], resized: tuple[int, int], shorter: int) -> None:
    """Refuse a strip, whose longer side grows with the shorter one, before it takes gigabytes.

    Raises:
        DataError: one line, without the picture's name.
    """
    if resized[0] * resized[1] > max(MOST_PIXELS, 4 * shorter**2):
        raise DataError(
            f"{size[0]}x{size[1]} pixels would become {resized[0]}x{resized[1]} with "
            f"preprocessing.resize={shorter}: crop the picture"
        )


def centre_crop(picture: Image.Image, side: int) -> Image.Image:
    """The centred square; halves are rounded to even, as torchvision does; padded black."""
    width, height = picture.size
    if width >= side and height >= side:
        left, top = _margin(width, side), _margin(height, side)
    else:
        padded_width, padded_height = max(width, side), max(height, side)
        padded = Image.new(picture.mode, (padded_width, padded_height))
        padded.paste(
            picture,
            (
                (side - width) // 2 if width < side else 0,
                (side - height) // 2 if height < side else 0,
            ),
        )
        picture = padded
        left, top = _margin(padded_width, side), _margin(padded_height, side)
    return picture.crop((left, top, left + side, top + side))


def _margin(length: int, side: int) -> int:
    """What lies before the centred part of a side; halves are rounded to even."""
    return round((length - side) / 2.0)


def _checked_resize(resize: int | Sequence[int] | None) -> int | tuple[int, int] | None:
    if resize is None or isinstance(resize, int | float):
        return _checked_side("resize", resize)
    sides = [int(side) for side in resize]
    if len(sides) != 2 or not 1 <= min(sides) <= max(sides) <= LARGEST_SIDE:
        raise ConfigError(
            f"preprocessing.resize={sides}: give a side, or [height, width], in pixels from 1 to "
            f"{LARGEST_SIDE}"
        )
    return sides[0], sides[1]


def _checked_side(key: str, side: int | None) -> int | None:
    if side is None:
        return None
    if not 1 <= side <= LARGEST_SIDE:
        raise ConfigError(
            f"preprocessing.{key}={side}: give pixels from 1 to {LARGEST_SIDE}, or null for no "
            "such step"
        )
    return int(side)
