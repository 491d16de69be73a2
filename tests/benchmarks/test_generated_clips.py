"""ImageNet-P made while loading: the same frames as on disk, under the same names."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import Cli, write_pictures

from oodbench.benchmarks.generated_clips import ImageNetPGenerated
from oodbench.benchmarks.trees import ImageNetP
from oodbench.cli import data as data_cli
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.files import read_json
from oodbench.metrics.perturbation import TEST_PERTURBATIONS

TENCH, GOLDFISH = "n01440764", "n01443537"
QUICK = ["translate", "spatter"]
Make = Callable[..., Path]
needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="OpenCV is not installed")


@pytest.fixture
def val(tmp_path: Path, make_picture: Make) -> Path:
    for index, place in enumerate((f"{TENCH}/b", f"{TENCH}/a", f"{GOLDFISH}/c")):
        make_picture(tmp_path / "val" / f"{place}.JPEG", index, 12)
    return tmp_path / "val"


def generated(root: Path, **options: object) -> ImageNetPGenerated:
    given = {"perturbations": QUICK, "n_expected": 3} | options
    return ImageNetPGenerated(root=str(root), **given)  # type: ignore[arg-type]


def pixels(pictures: list[Image.Image]) -> np.ndarray:
    assert {picture.mode for picture in pictures} == {"RGB"}
    return np.stack([np.array(picture) for picture in pictures])


def test_every_perturbation_is_a_split_of_all_pictures(val: Path) -> None:
    splits = generated(val).splits()
    assert [split.name for split in splits] == QUICK
    assert [(item.image, item.label) for item in splits[1].list_items()] == [
        (f"spatter/{TENCH}/a.JPEG", 0),
        (f"spatter/{GOLDFISH}/c.JPEG", 1),
        (f"spatter/{TENCH}/b.JPEG", 0),
    ]
    assert {(split.n_items, split.n_expected) for split in splits} == {(3, 3)}


def test_without_a_choice_the_ten_test_perturbations(val: Path) -> None:
    benchmark = ImageNetPGenerated(root=str(val), n_expected=3)
    assert [split.name for split in benchmark.splits()] == list(TEST_PERTURBATIONS)
    assert list(benchmark.missing_splits()) == []
    missing = [name for name in TEST_PERTURBATIONS if name != "translate"]
    assert list(generated(val).missing_splits()) == missing


@pytest.mark.slow
@needs_opencv
def test_the_frames_are_those_on_disk(val: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["perturb", "--source", str(val), "--out", str(out), "--perturbations", *QUICK]
    assert data_cli.main([*command, "--seed", "5", "--workers", "1"]) == 0
    on_disk = ImageNetP(root=str(out), n_expected=3, validation=["spatter"])
    made = generated(val, seed=5)
    for split in made.splits():
        of_disk = next(other for other in on_disk.splits() if other.name == split.name)
        for item, clip in zip(split.list_items(), of_disk.list_items(), strict=True):
            assert clip.image == item.image.replace(".JPEG", ".mp4")
            expected = pixels(on_disk.load(of_disk.root / clip.image))
            np.testing.assert_array_equal(pixels(made.load(split.root / item.image)), expected)


@needs_opencv
def test_without_the_round_trip_frames_differ_a_little(val: Path) -> None:
    image = val / "translate" / TENCH / "a.JPEG"
    with_file = pixels(generated(val).load(image))
    without = pixels(generated(val, encode=False).load(image))
    assert with_file.shape == without.shape == (41, 224, 224, 3)
    assert 0 < np.abs(with_file.astype(int) - without).mean() < 2
    clean = Image.open(val / TENCH / "a.JPEG").resize((256, 256), Image.Resampling.BILINEAR)
    expected = np.array(clean.crop((16 - 7, 16, 240 - 7, 240)))
    np.testing.assert_array_equal(without[27], expected)


def test_an_item_is_made_from_the_clean_picture(val: Path) -> None:
    made = generated(val).file_of(val / "translate" / TENCH / "a.JPEG")
    assert made == val / TENCH / "a.JPEG"


@needs_opencv
@pytest.mark.parametrize("encode", [True, False])
def test_a_damaged_picture_is_named(val: Path, encode: bool) -> None:
    (val / TENCH / "a.JPEG").write_bytes(b"nothing")
    with pytest.raises(DataError, match=rf"{TENCH}/a\.JPEG: cannot be read as a picture"):
        generated(val, encode=encode).load(val / "translate" / TENCH / "a.JPEG")


def test_an_unknown_perturbation(val: Path) -> None:
    with pytest.raises(ConfigError, match="unknown perturbation rain: available: gaussian_noise, "):
        generated(val, perturbations=["rain"])


@needs_opencv
def test_a_run_is_scored_as_imagenet_p_is(cli: Cli, toy: Path) -> None:
    write_pictures(toy / "few" / "val", per_class=1)
    done = cli(
        *("model=toy", "engine=eager", "benchmark=imagenet_p_generated"),
        *("benchmark.root=few/val", "+benchmark.protocol.perturbations=[translate,tilt]"),
        "benchmark.protocol.encode=false",
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"toy × imagenet_p_generated.*: \d+ clips to evaluate on", done.stderr)
    (result,) = (toy / "outputs" / "runs" / "imagenet_p_generated" / "toy").glob("*/result.json")
    scores = read_json(result)["scores"]
    for name in ("translate", "tilt"):
        assert set(scores[name]) == {"flip_probability", "top5_distance"}
        assert scores[name]["flip_probability"]["n"] == 5
