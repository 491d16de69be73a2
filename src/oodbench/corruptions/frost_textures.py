"""Photographs of frost, which are not ours to ship: read from an installed package."""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from oodbench.corruptions.opencv import cv2
from oodbench.corruptions.pixels import Picture
from oodbench.errors import ConfigError

FOLDERS = {"imagecorruptions": "frost", "corrupt_tta": "assets/frost"}
"""Packages that ship the published textures, and where; none of them is imported."""

NAMES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")
"""The published code draws an index below 5, so that its sixth texture is never used."""


@cache
def frost_textures() -> tuple[Picture, ...]:
    """The five textures, RGB, of several sizes.

    Raises:
        ConfigError: no package with the textures is installed, or one of its files is damaged.
    """
    folder = frost_folder()
    textures = []
    for name in NAMES:
        texture = cv2.imread(str(folder / name))
        if texture is None:
            raise ConfigError(
                f"{folder / name}: no readable frost texture: "
                "pip install --force-reinstall --no-deps the package again"
            )
        textures.append(cv2.cvtColor(texture, cv2.COLOR_BGR2RGB))
    return tuple(textures)


def frost_folder() -> Path:
    """Folder of the textures in the first of the packages that is installed.

    Raises:
        ConfigError: none of them is.
    """
    for package, inside in FOLDERS.items():
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if (folder := Path(place) / inside).is_dir():
                return folder
    raise ConfigError(
        "corruption frost: its textures come with the package corrupt-tta or imagecorruptions: "
        "pip install 'oodbench[corruptions]'"
    )


def textures_hash() -> str:
    """sha256 of the five files one after the other.

    Raises:
        ConfigError: no package with the textures is installed.
    """
    folder = frost_folder()
    digest = sha256()
    for name in NAMES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
