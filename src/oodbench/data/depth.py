"""Pictures of more than 8 bits a channel: cut off at 255, as torchvision does, or scaled.

Pillow's conversion to RGB takes values above 255 as 255, so that most such pictures turn white, and
floats from 0 to 1 turn black. Pillow itself takes the upper 8 bits of colour pictures of 16 bits,
which are none of these.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.errors import DataError

BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339
"""Tags of TIFF files; 2 in the latter stands for numbers with a sign."""


@dataclass
class _Handling:
    scale: bool
    found: list[str] = field(default_factory=list)


_handling: ContextVar[_Handling] = ContextVar("_handling")


@contextmanager
def deep_pictures(*, scale: bool | None = None) -> Iterator[list[str]]:
    """What is done with deep pictures that this thread loads meanwhile.

    Args:
        scale: whether their values are scaled, not cut off; None: as outside of the context.

    Yields:
        A list that the mode of each deep picture is added to.
    """
    outer = _handling.get(None)
    inner = _Handling(bool(outer and outer.scale) if scale is None else scale)
    token = _handling.set(inner)
    try:
        yield inner.found
    finally:
        _handling.reset(token)
        if outer is not None:
            outer.found += inner.found


def converted(picture: Image.Image) -> Image.Image:
    """A picture as RGB of 8 bits a channel, as torchvision's ImageFolder converts it.

    Within `deep_pictures(scale=True)` the whole range of a deep picture becomes 0 to 255, rounded:
    65535 of 16 bits, 1.0 of floats.

    Raises:
        DataError: floats outside of [0, 1] are to be scaled.
    """
    if not picture.mode.startswith("I;16") and picture.mode not in ("I", "F"):
        return picture.convert("RGB")
    handling = _handling.get(None)
    if handling is None:
        return picture.convert("RGB")
    handling.found.append(picture.mode)
    return _scaled(picture) if handling.scale else picture.convert("RGB")


def note(count: int, *, scale: bool) -> str:
    """What a result says of its deep pictures."""
    pictures = f"{count} picture{'' if count == 1 else 's'} of more than 8 bits a channel"
    if scale:
        return f"{pictures}, scaled to 8 bits: data.deep_pictures=scale"
    return (
        f"{pictures}: values above 255 are cut off, as torchvision does; data.deep_pictures=scale "
        "scales them"
    )


def _scaled(picture: Image.Image) -> Image.Image:
    values, top = _values(picture)
    if picture.mode == "F" and not (values.min() >= 0 and values.max() <= 1):
        raise DataError(
            f"floats from {values.min():.4g} to {values.max():.4g}, and only those in [0, 1] can "
            "be scaled: save it with 8 bits a channel"
        )
    levels = np.rint(np.clip(values.astype(np.float64) / top, 0, 1) * 255)
    return Image.fromarray(levels.astype(np.uint8)).convert("RGB")


def _values(picture: Image.Image) -> tuple[NDArray[Any], int]:
    """Values of a deep picture, and the one that is white."""
    values = np.asarray(picture)
    if picture.mode == "F":
        return values, 1
    tags: Any = getattr(picture, "tag_v2", {})
    signed = tags.get(SAMPLE_FORMAT, (1,))[0] == 2
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0] if picture.mode == "I" else 16
    if bits == 32 and not signed:
        values = values.view(np.uint32)
    return values, 2 ** (bits - 1) - 1 if signed else 2**bits - 1
