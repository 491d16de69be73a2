"""The number of an ImageNet validation picture, by which annotations of it are looked up."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.reference import known_names

N_PICTURES = 50_000

_NAMES = "imagenet_val"
"""Of `oodbench.reference.known_names`."""


def picture_number(image: str) -> int:
    """The k of `…/ILSVRC2012_val_0000000k.JPEG`, 1 to 50,000.

    Raises:
        DataError: the file has another name.
    """
    name = image.rsplit("/", 1)[-1]
    found = known_names()[_NAMES].pattern.fullmatch(name)
    if found is None or not 1 <= int(found[1]) <= N_PICTURES:
        raise DataError(
            f"{image}: not the name of a validation picture, ILSVRC2012_val_00000001.JPEG to "
            f"ILSVRC2012_val_{N_PICTURES:08d}.JPEG, by which its annotations are found; unpack the "
            "official archive"
        )
    return int(found[1])


def picture_numbers(images: Iterable[str]) -> NDArray[np.int64]:
    """Of each picture, int64 `(n,)`; see `picture_number`."""
    return np.array([picture_number(image) for image in images], dtype=np.int64)
