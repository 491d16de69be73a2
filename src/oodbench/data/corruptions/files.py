"""Corrupted pictures as files: the published preparation and JPEG settings."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from oodbench.data.corruptions.parameters import picture_stream
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.corruptions.registry import corrupt
from oodbench.data.pictures import load_picture, prepared
from oodbench.preprocessing import Preprocessing

PUBLISHED_QUALITY = 85
"""JPEG quality of the published files, which are also optimised."""

_prepare = Preprocessing(resize=256, crop=224)


def clean_picture(path: Path) -> Picture:
    """RGB `(224, 224, 3)`: shorter side 256, bilinear, then the central square.

    Raises:
        DataError: the file cannot be read, by name.
    """
    return prepared(load_picture(path)[0], path, _prepare)


def encoded(picture: Picture, quality: int = PUBLISHED_QUALITY) -> bytes:
    """The JPEG file of a picture."""
    file = BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=quality, optimize=True)
    return file.getvalue()


def corrupted_file(picture: Picture, cell: str, seed: int, name: str) -> bytes:
    """The JPEG file of a picture under the cell's corruption and severity.

    Args:
        picture: see `clean_picture`.
        cell: <corruption>/<severity>.
        seed: of the whole data set.
        name: of the picture, which determines its random stream.
    """
    corruption, severity = cell.split("/")
    rng = picture_stream(seed, corruption, int(severity), name)
    return encoded(corrupt(picture, corruption, int(severity), rng))
