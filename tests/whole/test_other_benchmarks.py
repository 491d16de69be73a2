"""Benchmarks beside the published ones, through the command line with the toy network."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys import Cli

from oodbench.cli.table import main
from oodbench.reference import (
    class_lists,
    imagenet_wnids,
    objectnet_classes,
    validation_labels,
)
from oodbench.runs.records import read_split


def result_of(toy: Path, benchmark: str) -> dict[str, Any]:
    (file,) = (toy / "outputs/runs" / benchmark).glob("*/*/result.json")
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def validation(toy: Path) -> Path:
    """Pictures with their official names in place of the toy ones."""
    root = toy / "data/imagenet/val"
    shutil.rmtree(root)
    for number in range(1, 31):
        wnid = imagenet_wnids()[validation_labels()[number - 1]]
        picture(root / wnid / f"ILSVRC2012_val_{number:08d}.JPEG", number)
    return root


def test_class_numbers_are_labels(toy: Path, cli: Cli) -> None:
    for index in (2, 10, 107):
        picture(toy / f"data/imagenet-v2/matched-frequency/{index}/a.jpeg", index)
    done = cli("model=toy", "benchmark=imagenet_v2_matched_frequency")
    assert done.returncode == 0, done.stderr
    result = result_of(toy, "imagenet_v2_matched_frequency")
    assert (result["n_images"], result["n_expected"]) == (3, 10000)
    folder = next((toy / "outputs/runs/imagenet_v2_matched_frequency").glob("*/*"))
    rows = read_split(folder / "records", "")
    assert rows["label"].tolist() == [2, 10, 107]
    assert rows["image"].tolist() == [f"{imagenet_wnids()[k]}/a.jpeg" for k in (2, 10, 107)]


def test_reassessed_labels_need_no_second_pass(toy: Path, cli: Cli, validation: Path) -> None:
    assert cli("model=toy", "benchmark=imagenet").returncode == 0
    done = cli("model=toy", "benchmark=imagenet_real")
    assert done.returncode == 0, done.stderr
    assert "taken over from runs with the same key" in done.stderr
    result = result_of(toy, "imagenet_real")
    first = next((toy / "outputs/runs/imagenet").glob("*/*/records/*"))
    second = next((toy / "outputs/runs/imagenet_real").glob("*/*/records/*"))
    assert first.read_bytes() == second.read_bytes()
    assert result["scores"][""]["top1"]["n"] < 30  # some have no reassessed label


def test_names_without_a_number_are_refused_before_anything_is_computed(
    toy: Path, cli: Cli
) -> None:
    done = cli("model=toy", "benchmark=imagenet_real")
    assert done.returncode == 1
    assert "not the name of a validation picture" in done.stderr + done.stdout
    assert not list((toy / "outputs/runs/imagenet_real").rglob("*.parquet"))


def test_objectnet_says_that_its_count_is_unknown(
    toy: Path, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, folder in enumerate(objectnet_classes()):
        picture(toy / f"data/objectnet/{folder}/{number}.png", number)
    done = cli("model=toy", "benchmark=objectnet")
    assert done.returncode == 0, done.stderr
    assert "official count unknown" in done.stdout
    assert "no source says how many pictures there are" in done.stdout
    monkeypatch.chdir(toy)
    monkeypatch.setattr("sys.argv", ["oodbench-table"])
    main()
    shown = capsys.readouterr().out
    assert "ObjectNet" in shown
    assert "count unknown" in shown
    assert "IN-O" not in shown


def test_unknown_classes_beside_known_ones(toy: Path, cli: Cli) -> None:
    for number, wnid in enumerate(class_lists()["imagenet_o"][:6]):
        picture(toy / f"data/imagenet-o/{wnid}/o.png", number)
        picture(toy / f"data/imagenet/val/{wnid}/v.JPEG", 100 + number)
    done = cli("model=toy", "benchmark=imagenet_o")
    assert done.returncode == 0, done.stderr
    result = result_of(toy, "imagenet_o")
    scores = result["scores"][""]
    assert result["headline"] == "aupr"
    assert {"aupr", "auroc_200way", "fpr95_max_logit"} <= set(scores)
    assert "AUPR is not comparable" in scores["aupr"]["note"]
    assert result["n_expected"] == 12000


def test_what_the_user_says_of_a_model_is_shown(toy: Path, cli: Cli) -> None:
    done = cli("model=toy", "benchmark=imagenet", "model.trained_on='other pictures'")
    assert done.returncode == 0, done.stderr
    assert "trained on other pictures, too" in done.stdout
    again = cli("model=toy", "benchmark=imagenet")
    assert "outputs/runs/imagenet/toy" in again.stdout
    assert len(list((toy / "outputs/runs/imagenet/toy").iterdir())) == 1
