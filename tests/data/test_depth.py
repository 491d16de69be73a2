"""Pictures of more than 8 bits a channel, in files of each kind that Pillow reads."""

import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import pil_loader

from oodbench.core.errors import DataError
from oodbench.data.depth import deep_pictures, note
from oodbench.data.pictures import load_picture

SIXTEEN = np.array([[0, 128, 255, 256], [257, 32768, 65407, 65535]], np.uint16)
"""By hand below, divided by 257 and rounded."""
SCALED = [[0, 0, 1, 1], [1, 128, 255, 255]]


def loaded(path: Path, *, scale: bool = False) -> tuple[list[list[int]], list[str]]:
    """Grey levels of a picture that was grey, and the modes that were seen."""
    with deep_pictures(scale=scale) as modes:
        (picture,) = load_picture(path)
    assert picture.mode == "RGB"
    pixels = np.asarray(picture)
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0].tolist(), modes


def write_pgm(path: Path) -> None:
    path.write_bytes(b"P5 4 2 65535\n" + SIXTEEN.astype(">u2").tobytes())


def write_unsigned_tiff(path: Path, values: np.ndarray) -> None:
    """32 bits without a sign, which Pillow does not write."""
    height, width = values.shape
    entries = [(256, 3, width), (257, 3, height), (258, 3, 32), (259, 3, 1), (262, 3, 1)]
    entries += [(273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, values.nbytes), (339, 3, 1)]
    at = 8 + values.nbytes
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, at) + values.tobytes() + directory + struct.pack("<I", 0)
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.JPEG", "a.ppm"])
def test_sixteen_bits(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.ppm":
        write_pgm(path)
    else:
        Image.fromarray(SIXTEEN).save(path, "TIFF" if name == "a.tif" else "PNG")
    pixels, modes = loaded(path)
    np.testing.assert_array_equal(np.asarray(pil_loader(str(path)))[:, :, 0], pixels)
    assert pixels == [[0, 128, 255, 255], [255, 255, 255, 255]]
    assert len(modes) == 1
    assert loaded(path, scale=True) == (SCALED, modes)
    # OpenCV divides by 256: it is never off by more than one from the exact range.
    eight = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(int)
    assert abs(eight - np.array(SCALED)).max() <= 1


def test_thirty_two_bits_with_and_without_a_sign(tmp_path: Path) -> None:
    signed = np.array([[-5, 0, 2**30, 2**31 - 1]], np.int32)
    Image.fromarray(signed).save(tmp_path / "signed.tif")
    pixels, modes = loaded(tmp_path / "signed.tif", scale=True)
    assert (pixels, modes) == ([[0, 0, 128, 255]], ["I"])
    assert loaded(tmp_path / "signed.tif")[0] == [[0, 0, 255, 255]]
    write_unsigned_tiff(tmp_path / "unsigned.tif", np.array([[0, 2**31, 2**32 - 1]], np.uint32))
    assert loaded(tmp_path / "unsigned.tif", scale=True) == ([[0, 128, 255]], ["I"])


def test_floats_from_0_to_1(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0.25, 0.5, 1]], np.float32)).save(tmp_path / "a.tif")
    assert loaded(tmp_path / "a.tif", scale=True) == ([[0, 64, 128, 255]], ["F"])
    pixels, modes = loaded(tmp_path / "a.tif")
    assert max(pixels[0]) <= 1  # black
    assert modes == ["F"]


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), 200.0])
def test_other_floats_cannot_be_scaled(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.array([[0.5, value]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: floats from .* only those in \[0, 1\] can be sc"):
        loaded(tmp_path / "a.tif", scale=True)
    loaded(tmp_path / "a.tif")


def test_colours_of_sixteen_bits_are_no_such_pictures(tmp_path: Path) -> None:
    """Pillow takes their upper eight bits."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), 0x80FF, np.uint16))
    assert loaded(tmp_path / "a.png") == ([[0x80, 0x80]] * 2, [])


def test_what_is_seen_within_is_seen_outside_and_in_no_other_thread(tmp_path: Path) -> None:
    Image.fromarray(SIXTEEN).save(tmp_path / "a.png")
    with deep_pictures(scale=True) as outer:
        with deep_pictures() as inner:
            (picture,) = load_picture(tmp_path / "a.png")
        thread = threading.Thread(target=load_picture, args=(tmp_path / "a.png",))
        thread.start()
        thread.join()
    assert np.asarray(picture)[:, :, 0].tolist() == SCALED
    assert outer == inner == ["I;16"]
    load_picture(tmp_path / "a.png")
    assert outer == ["I;16"]


def test_the_note_counts() -> None:
    assert note(1, scale=False).startswith("1 picture of more than 8 bits a channel: values above")
    assert note(3, scale=True) == (
        "3 pictures of more than 8 bits a channel, scaled to 8 bits: data.deep_pictures=scale"
    )
