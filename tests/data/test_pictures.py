"""Pixels against torchvision's own loader, and on real pictures against another decoder."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import pil_loader

from oodbench.data.listing import PICTURE_SUFFIXES, list_folders
from oodbench.data.pictures import load_picture

DATA = os.environ.get("OODBENCH_TEST_DATA")


def noise(mode: str, size: tuple[int, int] = (23, 17)) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def rotated(path: Path) -> None:
    """A picture whose EXIF tag asks for a quarter turn, which is not obeyed."""
    exif = Image.Exif()
    exif[0x0112] = 6
    noise("RGB").save(path, "JPEG", exif=exif)


def progressive(path: Path) -> None:
    noise("RGB").save(path, "JPEG", progressive=True, quality=70)


def several(path: Path) -> None:
    noise("RGB").save(path, "MPO", save_all=True, append_images=[noise("L").convert("RGB")])


def with_transparency(path: Path) -> None:
    noise("RGB").save(path, "PNG", transparency=(1, 2, 3))


def palette_with_transparency(path: Path) -> None:
    noise("P").save(path, "PNG", transparency=0)


def animated(path: Path) -> None:
    noise("P").save(path, "GIF", save_all=True, append_images=[noise("P").rotate(90)])


WRITERS = [
    rotated,
    progressive,
    several,
    with_transparency,
    palette_with_transparency,
    animated,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_unusual_files_load_as_imagefolder_loads_them(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "a.JPEG")
    (picture,) = load_picture(tmp_path / "a.JPEG")
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(picture, pil_loader(str(tmp_path / "a.JPEG")))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("RGB", "WEBP"),
        ("CMYK", "TIFF"),
    ],
)
def test_modes_load_as_imagefolder_loads_them(tmp_path: Path, mode: str, kind: str) -> None:
    """Whatever is in it, the file's name is that of a JPEG, as for one PNG of ImageNet."""
    picture = noise("L").convert("I;16") if mode == "I;16" else noise(mode)
    picture.save(tmp_path / "a.JPEG", kind)
    (found,) = load_picture(tmp_path / "a.JPEG")
    np.testing.assert_array_equal(found, pil_loader(str(tmp_path / "a.JPEG")))


@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures")
def test_real_pictures_are_the_same_in_opencv() -> None:
    """OpenCV reads the file by itself, with a libjpeg-turbo of its own."""
    root = Path(str(DATA), "imagenet", "val")
    folders = list_folders(root, PICTURE_SUFFIXES)
    paths = [root / folder.name / name for folder in folders for name, _ in folder.files]
    assert len(paths) >= 500
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    for path in paths:
        (picture,) = load_picture(path)
        np.testing.assert_array_equal(picture, cv2.imread(str(path), flags), str(path))
