"""Against other people's packages: values that make_reference.py stored, on the same streams.

Every corruption shares its random stream with the reference, so that pictures are compared and
not distributions. Equal to one grey level, with two exceptions. imagecorruptions keeps the layer of
snow in floats and rounds it, where the published code makes bytes of it twice and cuts; and it is
laid on twice. Glass blur cuts decimals twice, and where a picture is flat the last bit of a mean
decides both times.
"""

import csv
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from synthetic_pictures import sampled_positions, synthetic_pictures

from oodbench.data.corruptions.files import clean_picture
from oodbench.data.corruptions.frost_textures import FOLDERS
from oodbench.data.corruptions.parameters import parameters, picture_stream
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.corruptions.registry import FUNCTIONS

HERE = Path(__file__).parent
DATA = os.environ.get("OODBENCH_TEST_DATA")
TEXTURES = any(find_spec(package) for package in FOLDERS)


LEVELS = {"snow": 3, "glass_blur": 2}
LEEWAY = {"snow": 0.5}
"""Grey levels of the mean, where it is near 0; see above for snow."""


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


def cases(name: str) -> list[pytest.param]:
    no_textures = pytest.mark.skipif(not TEXTURES, reason="no package with frost textures")
    return [
        pytest.param(
            row,
            id=f"{row['corruption']}-{row['severity']}",
            marks=[no_textures] if row["corruption"] == "frost" else [],
        )
        for row in rows(name)
    ]


def ours(row: dict[str, str], picture: Picture, name: str) -> np.ndarray:
    """Our picture as integers, with the bug fixed that the row's peer has fixed."""
    corruption, severity = row["corruption"], int(row["severity"])
    given = parameters(corruption, severity)
    if row["peer"] == "corrupt_tta":
        given["side"] = 224
    rng = picture_stream(0, corruption, severity, name)
    return FUNCTIONS[corruption](picture, rng, **given).astype(int)


@cache
def real_pictures() -> dict[str, Picture]:
    folder = Path(DATA or "") / "imagenet" / "val"
    classes = sorted(path for path in folder.iterdir() if path.is_dir())[::10][:50]
    files = [min(path.iterdir()) for path in classes]
    return {f"{path.parent.name}/{path.stem}": clean_picture(path) for path in files}


def test_every_corruption_has_a_reference() -> None:
    for name in ("reference_pixels.csv", "reference_changes.csv"):
        cells = {(row["corruption"], int(row["severity"])) for row in rows(name)}
        assert cells == {(corruption, s) for corruption in FUNCTIONS for s in range(1, 6)}


@pytest.mark.parametrize("row", cases("reference_pixels.csv"))
def test_pixels_are_the_reference(row: dict[str, str]) -> None:
    for index, column in enumerate(("first", "second")):
        picture = synthetic_pictures()[index]
        made = ours(row, picture, f"synthetic/{index}").reshape(-1, 3)[sampled_positions()]
        expected = np.frombuffer(bytes.fromhex(row[column]), np.uint8).reshape(-1, 3)
        assert np.abs(made - expected).max() <= LEVELS.get(row["corruption"], 1)


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA names no folder with real pictures")
@pytest.mark.parametrize("row", cases("reference_changes.csv"))
def test_changes_of_real_pictures_are_the_reference(row: dict[str, str]) -> None:
    changes = np.stack(
        [ours(row, picture, name) - picture for name, picture in real_pictures().items()]
    ).reshape(-1, 3)
    for index, colour in enumerate("rgb"):
        mean, std = (float(row[f"{value}_{colour}"]) for value in ("mean", "std"))
        assert changes[:, index].mean() == pytest.approx(
            mean, rel=0.02, abs=LEEWAY.get(row["corruption"], 0.1)
        )
        assert changes[:, index].std() == pytest.approx(std, rel=0.02)
