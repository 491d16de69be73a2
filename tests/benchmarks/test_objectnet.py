"""ObjectNet: folders of its own names, the border cut off, counts, and the rule."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodbench.benchmarks.objectnet import ObjectNet
from oodbench.core.errors import DataError
from oodbench.data.archives.receipt import FOLDER, write_receipt
from oodbench.metrics.objectnet import by_class, by_folder
from oodbench.readouts import Subset
from oodbench.reference import class_lists, imagenet_wnids, objectnet_classes

Make = Callable[..., Path]


def benchmark(root: Path, n_expected: int | None = None) -> ObjectNet:
    return ObjectNet(root=str(root), border=2, n_expected=n_expected, inside=("images",))


@pytest.fixture
def tree(tmp_path: Path, make_picture: Make) -> Path:
    for place in ("alarm_clock/b", "alarm_clock/a", "banana/c", "air_freshener/d"):
        make_picture(tmp_path / "objectnet" / "images" / f"{place}.png")
    return tmp_path / "objectnet"


def test_the_folders_with_imagenet_classes(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Alarm clock: 409 analog clock and 530 digital clock; an air freshener is no class."""
    with caplog.at_level(logging.WARNING):
        (split,) = benchmark(tree).splits()
    items = split.list_items()
    assert [(item.image, item.label, item.columns["category"]) for item in items] == [
        ("alarm_clock/a.png", 409, "alarm_clock"),
        ("banana/c.png", 954, "banana"),
        ("alarm_clock/b.png", 409, "alarm_clock"),
    ]
    assert "111 of ObjectNet's 113 folders are not there" in caplog.text


def test_a_count_that_nobody_says_is_not_made_up(tree: Path) -> None:
    (split,) = benchmark(tree).splits()
    assert (split.n_items, split.n_expected, split.is_count_known) == (3, 3, False)


def test_the_count_of_the_archive(tree: Path) -> None:
    write_receipt(tree, {"objectnet-1.0.zip": {"files": 5, "verified": None}})
    (split,) = benchmark(tree).splits()
    assert (split.n_items, split.n_expected, split.is_count_known) == (3, 5, True)


def test_a_folder_that_was_copied_counts_nothing(tree: Path) -> None:
    write_receipt(tree, {FOLDER: {"files": 3, "verified": None}})
    (split,) = benchmark(tree).splits()
    assert not split.is_count_known


def test_a_given_count(tree: Path) -> None:
    (split,) = benchmark(tree, 4).splits()
    assert (split.n_expected, split.is_count_known) == (4, True)


def test_two_pixels_are_cut_off_each_side(tree: Path) -> None:
    path = tree / "images" / "banana" / "c.png"
    pixels = np.full((20, 30, 3), 200, np.uint8)
    pixels[2:-2, 2:-2] = 7
    Image.fromarray(pixels).save(path)
    (picture,) = benchmark(tree).load(path)
    assert picture.size == (26, 16)
    assert (np.asarray(picture) == 7).all()


def test_a_picture_that_is_all_border(tree: Path, make_picture: Make) -> None:
    path = make_picture(tree / "images" / "banana" / "small.png", side=4)
    with pytest.raises(DataError, match=r"small\.png: 4x4 pixels, all of them border"):
        benchmark(tree).load(path)


def test_other_folders_alone(tmp_path: Path, make_picture: Make) -> None:
    make_picture(tmp_path / "objectnet" / "n01440764" / "a.png")
    with pytest.raises(DataError, match="none of ObjectNet's 113 folders"):
        benchmark(tmp_path / "objectnet").splits()


def naive(records: pd.DataFrame, column: str) -> float:
    """As imagenet-testbed's objectnet_accuracy, a loop over pictures."""
    right = [
        prediction in objectnet_classes()[category]
        for prediction, category in zip(records[column], records["category"], strict=True)
    ]
    return sum(right) / len(right)


def read_out(n: int, labels: list[int]) -> pd.DataFrame:
    """Predictions of random logits that favour the labels."""
    logits = np.random.default_rng(5).normal(size=(n, 1000)).astype(np.float32)
    logits[np.arange(n), labels] += 3
    columns = Subset(classes="objectnet")(logits)
    kept = ("prediction", "prediction_125way")
    return pd.DataFrame({"label": labels, **{name: columns[name] for name in kept}})


def test_right_is_any_class_of_the_folder() -> None:
    folders = list(objectnet_classes())
    rng = np.random.default_rng(6)
    shown = rng.integers(0, len(folders), 400)
    labels = [int(rng.choice(objectnet_classes()[folders[k]])) for k in shown]
    records = read_out(400, labels).assign(category=[folders[k] for k in shown])
    found = by_folder(records)
    assert found["top1"].value == pytest.approx(naive(records, "prediction_125way"))
    assert found["top1_1000way"].value == pytest.approx(naive(records, "prediction"))
    assert found["top1_1000way"].value < found["top1"].value < 1


def test_the_control_counts_the_same_way() -> None:
    folder_of = {k: folder for folder, ks in objectnet_classes().items() for k in ks}
    labels = sorted(folder_of)
    records = read_out(125, labels).assign(category=[folder_of[k] for k in labels])
    assert by_class(records) == by_folder(records)


def test_the_class_list_is_that_of_the_folders() -> None:
    indices = sorted(k for ks in objectnet_classes().values() for k in ks)
    assert class_lists()["objectnet"] == [imagenet_wnids()[k] for k in indices]
    assert len(indices) == len(set(indices)) == 125
