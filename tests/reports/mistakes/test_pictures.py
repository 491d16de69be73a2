"""Pictures are found by what a run's result says of its benchmark, or below another data root."""

from pathlib import Path
from typing import Any

import pytest
from configs import composed
from PIL import Image
from run_factory import run_result
from toys import write_pictures

from oodbench.core.building import by_content
from oodbench.core.errors import DataError
from oodbench.core.ids import frozen
from oodbench.reports.mistakes.pictures import Pictures, jpeg, thumbnail
from oodbench.runs.results import RunResult

NAME = "n01440764/n01440764_000.JPEG"


def run_on(*overrides: str) -> RunResult:
    """A result that says of its benchmark what one of that config would."""
    protocol: Any = frozen(by_content(composed(*overrides).benchmark.protocol))
    return run_result(config={"benchmark": {"protocol": protocol}})


def row(image: str, split: str = "", frame: int = 0) -> dict[str, Any]:
    return {"image": image, "split": split, "frame": frame}


def test_a_picture_in_a_folder_below(tmp_path: Path) -> None:
    """As ImageNet-Sketch's archive has it; the records do not say so."""
    write_pictures(tmp_path / "imagenet-sketch" / "sketch", per_class=1)
    pictures = Pictures(run_on("benchmark=imagenet_sketch", f"data.root={tmp_path}"))
    assert pictures.file(row(NAME)) == tmp_path / "imagenet-sketch" / "sketch" / NAME
    assert pictures.load(row(NAME)).size == (40, 40)


def test_a_picture_that_is_made(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    write_pictures(tmp_path / "imagenet" / "val", per_class=1)
    pictures = Pictures(run_on("benchmark=imagenet_c_generated", f"data.root={tmp_path}"))
    made = row(f"contrast/3/{NAME}", "contrast/3")
    assert pictures.file(made) == tmp_path / "imagenet" / "val" / NAME
    picture = pictures.load(made)
    assert picture.size == (224, 224)
    with Image.open(pictures.file(made)) as source:
        assert max(high - low for low, high in picture.getextrema()) < max(
            high - low for low, high in source.convert("RGB").getextrema()
        )


def test_another_data_root_has_the_same_end_of_the_path(tmp_path: Path) -> None:
    write_pictures(tmp_path / "new" / "imagenet" / "val", per_class=1)
    run = run_on("benchmark=imagenet", "data.root=/old/place")
    assert Pictures(run).file(row(NAME)) == Path("/old/place/imagenet/val", NAME)
    moved = Pictures(run, tmp_path / "new")
    assert moved.load(row(NAME)).size == (40, 40)
    gone = Pictures(run, tmp_path / "nothing")
    with pytest.raises(DataError):
        gone.load(row(NAME))


def test_code_that_a_result_names_is_not_run(tmp_path: Path) -> None:
    """A results folder may come from anywhere."""
    write_pictures(tmp_path, per_class=1)
    protocol = {"_target_": "os.system", "command": f"touch {tmp_path}/run", "root": str(tmp_path)}
    pictures = Pictures(run_result(config={"benchmark": {"protocol": protocol}}))
    assert pictures.load(row(NAME)).size == (40, 40)
    assert not (tmp_path / "run").exists()


def test_a_result_that_says_nothing() -> None:
    with pytest.raises(DataError):
        Pictures(run_result()).load(row(NAME))


@pytest.mark.parametrize(("size", "expected"), [((300, 100), (60, 20)), ((40, 20), (40, 20))])
def test_thumbnails_are_whole_and_never_larger(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert thumbnail(Image.new("RGB", size), 60).size == expected


def test_nothing_but_pixels_is_passed_on() -> None:
    picture = Image.new("RGB", (8, 8))
    picture.getexif()[0x010E] = "where it was taken"
    picture.info["icc_profile"] = b"profile"
    assert b"where" not in jpeg(picture)
    assert b"profile" not in jpeg(picture)
