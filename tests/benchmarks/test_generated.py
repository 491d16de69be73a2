"""ImageNet-C made while loading: the same pictures as on disk, under the same names."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from oodbench.benchmarks.generated import ImageNetCGenerated
from oodbench.benchmarks.trees import ImageNetC
from oodbench.cli import data as cli
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.schema import validate
from oodbench.data.clips import write_clip
from oodbench.data.manifest import notice
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.runs.plan import Plan, make_plan
from oodbench.sweeps.composing import register_all

TENCH, GOLDFISH = "n01440764", "n01443537"
QUICK = ["gaussian_noise", "contrast"]
Make = Callable[..., Path]
needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="OpenCV is not installed")


@pytest.fixture
def val(tmp_path: Path, make_picture: Make) -> Path:
    for index, place in enumerate((f"{TENCH}/b", f"{TENCH}/a", f"{GOLDFISH}/c")):
        make_picture(tmp_path / "val" / f"{place}.JPEG", index, 96)
    return tmp_path / "val"


def generated(root: Path, **options: object) -> ImageNetCGenerated:
    given = {"corruptions": QUICK, "n_expected": 3} | options
    return ImageNetCGenerated(root=str(root), **given)  # type: ignore[arg-type]


def test_every_cell_is_a_split_of_all_pictures(val: Path) -> None:
    splits = generated(val).splits()
    assert [split.name for split in splits] == [
        f"{name}/{s}" for name in QUICK for s in range(1, 6)
    ]
    assert [(item.image, item.label) for item in splits[6].list_items()] == [
        (f"contrast/2/{TENCH}/a.JPEG", 0),
        (f"contrast/2/{GOLDFISH}/c.JPEG", 1),
        (f"contrast/2/{TENCH}/b.JPEG", 0),
    ]
    assert {(split.n_items, split.n_expected) for split in splits} == {(3, 3)}


def test_without_a_choice_the_15_test_corruptions(val: Path) -> None:
    benchmark = ImageNetCGenerated(root=str(val), n_expected=3)
    assert len(benchmark.splits()) == 75
    assert list(benchmark.missing_splits()) == []
    assert len(generated(val).missing_splits()) == 5 * (len(TEST_CORRUPTIONS) - 2)


def test_the_fingerprint_is_of_the_clean_pictures(val: Path, make_picture: Make) -> None:
    before = generated(val).splits()[0].fingerprint
    assert generated(val, seed=3).splits()[0].fingerprint == before
    make_picture(val / TENCH / "z.JPEG", 9, 96)
    assert generated(val).splits()[0].fingerprint != before


@needs_opencv
def test_the_pictures_are_those_on_disk(val: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["corrupt", "--source", str(val), "--out", str(out), "--corruptions", *QUICK]
    assert cli.main([*command, "--seed", "5", "--workers", "1"]) == 0
    on_disk, made = ImageNetC(root=str(out), n_expected=3), generated(val, seed=5)
    for split in made.splits():
        of_disk = next(other for other in on_disk.splits() if other.name == split.name)
        listed = [(item.image, item.label) for item in of_disk.list_items()]
        assert [(item.image, item.label) for item in split.list_items()] == listed
        for item in split.list_items():
            (expected,) = on_disk.load(of_disk.root / item.image)
            (picture,) = made.load(split.root / item.image)
            assert picture.mode == "RGB"
            np.testing.assert_array_equal(np.array(picture), np.array(expected))


@needs_opencv
def test_without_the_round_trip_pixels_differ_a_little(val: Path) -> None:
    image = val / "contrast" / "3" / TENCH / "a.JPEG"
    (with_file,) = generated(val).load(image)
    (without,) = generated(val, jpeg_quality=None).load(image)
    difference = np.abs(np.array(with_file, int) - np.array(without, int))
    assert 0 < difference.mean() < 3
    clean = Image.open(val / TENCH / "a.JPEG").resize((256, 256), Image.Resampling.BILINEAR)
    pixels = np.array(clean.crop((16, 16, 240, 240)), float)
    expected = 0.2 * pixels + 0.8 * pixels.mean(axis=(0, 1))
    assert np.abs(np.array(without) - expected).max() <= 1 + 1e-6


def test_an_item_is_made_from_the_clean_picture(val: Path) -> None:
    made = generated(val).file_of(val / "contrast" / "3" / TENCH / "a.JPEG")
    assert made == val / TENCH / "a.JPEG"


@needs_opencv
def test_a_damaged_picture_is_named(val: Path) -> None:
    (val / TENCH / "a.JPEG").write_bytes(b"nothing")
    with pytest.raises(DataError, match=rf"{TENCH}/a\.JPEG: cannot be read as a picture"):
        generated(val).load(val / "contrast" / "3" / TENCH / "a.JPEG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruptions": ["rain"]}, "unknown corruption rain: available: gaussian_noise, "),
        ({"jpeg_quality": 0}, "jpeg_quality=0: give 1 to 95, or null"),
    ],
)
def test_wrong_options(val: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generated(val, **options)


def plan(toy: Path, *overrides: str) -> Plan:
    register_all()
    GlobalHydra.instance().clear()
    search = f"hydra.searchpath=[file://{toy / 'my_conf'}]"
    usual = [search, "model=toy", "data.allow_partial=true"]
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return make_plan(validate(compose("config", [*usual, *overrides])))


@pytest.mark.parametrize(
    ("benchmark", "command"), [("imagenet_c", "corrupt"), ("imagenet_p", "perturb")]
)
@pytest.mark.parametrize("below", [".", "mine"])
def test_a_generated_folder_is_refused_as_the_official_one(
    toy: Path, make_picture: Make, benchmark: str, command: str, below: str
) -> None:
    """And accepted under the name of its own column."""
    folder = toy / "theirs" / below
    make_picture(folder / "contrast" / "3" / TENCH / "a.JPEG")
    write_clip([np.zeros((16, 16, 3), np.uint8)] * 2, folder / "translate" / TENCH / "a.mp4")
    given = [f"benchmark={benchmark}", f"benchmark.root={toy / 'theirs'}"]
    (folder / "manifest.json").write_text('{"notice": "of another program"}')
    assert plan(toy, *given).cell == f"toy × {benchmark}"
    text = json.dumps({"notice": notice(command, "the data set")})
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=f"by oodbench-data {command}; .*{benchmark}_generated$"):
        plan(toy, *given)
    accepted = plan(toy, *given, f"benchmark.name={benchmark}_generated")
    assert accepted.cell == f"toy × {benchmark}_generated"
