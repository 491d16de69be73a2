"""ReaL and ImageNet-O of a real network on real pictures, against timm and scikit-learn."""

import json
import os
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from calling import call
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from timm.data.real_labels import RealLabelsImagenet

from oodbench.reference import class_lists, imagenet_wnids, validation_labels
from oodbench.run import main
from oodbench.runs.records import read_split

DATA = os.environ.get("OODBENCH_TEST_DATA")
PICTURES = 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures"
    ),
]


def pictures() -> list[Path]:
    """One of each of several classes, those of ImageNet-O among them."""
    found = sorted(Path(str(DATA), "imagenet/val").glob("*/*.JPEG"))
    known = [file for file in found if file.parent.name in class_lists()["imagenet_o"]]
    others = [file for file in found if file.parent.name not in class_lists()["imagenet_o"]]
    return [*known[: PICTURES // 2], *others[: PICTURES - len(known[: PICTURES // 2])]]


def run(folder: Path, benchmark: str) -> tuple[Path, dict[str, Any]]:
    done = call(
        main,
        [
            "model=efficientnet_lite0",
            f"benchmark={benchmark}",
            *("data.root=data", "data.allow_partial=true", "engine.batch_size=8"),
        ],
        folder=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (folder / "outputs/runs" / benchmark).glob("*/*/result.json")
    return file.parent / "records", json.loads(file.read_text())["scores"][""]


def test_reassessed_labels_against_timm(tmp_path: Path) -> None:
    """Each picture under the name of a validation picture of its class."""
    numbers: dict[str, int] = {}
    for number, label in enumerate(validation_labels(), start=1):
        numbers.setdefault(imagenet_wnids()[label], number)
    for file in pictures():
        name = f"ILSVRC2012_val_{numbers[file.parent.name]:08d}.JPEG"
        link = tmp_path / "data/imagenet/val" / file.parent.name / name
        link.parent.mkdir(parents=True)
        link.symlink_to(file)
    records, scores = run(tmp_path, "imagenet_real")
    rows = read_split(records, "")
    assert len(rows) == PICTURES
    names = [Path(image).name for image in rows["image"]]
    known = RealLabelsImagenet([*names, *[""] * (50000 - len(names))], topk=(1,))
    logits = torch.zeros(len(rows), 1000)
    logits[torch.arange(len(rows)), torch.tensor(rows["prediction"].to_numpy().astype(int))] = 1
    known.add_result(logits)
    assert 100 * scores["top1"]["value"] == pytest.approx(known.get_accuracy(1))
    assert scores["top1"]["n"] == len(known.is_correct[1])


def test_unknown_classes_against_scikit_learn(tmp_path: Path) -> None:
    """Pictures of other classes stand for unknown ones, in folders of the 200 classes."""
    folders = cycle(class_lists()["imagenet_o"])
    for file in pictures():
        is_known = file.parent.name in class_lists()["imagenet_o"]
        root = "imagenet/val" if is_known else "imagenet-o"
        wnid = file.parent.name if is_known else next(folders)
        link = tmp_path / "data" / root / wnid / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    records, scores = run(tmp_path, "imagenet_o")
    splits = [read_split(records, name) for name in ("out_of_distribution", "in_distribution")]
    rows = pd.concat(splits)
    assert len(rows) == PICTURES
    positive = np.repeat([True, False], [len(split) for split in splits])
    for suffix, column in (
        ("", "confidence"),
        ("_200way", "confidence_200way"),
        ("_max_logit", "max_logit"),
    ):
        values = -rows[column].to_numpy()
        fpr, tpr, _ = roc_curve(positive, values, drop_intermediate=False)
        expected = {
            "aupr": average_precision_score(positive, values),
            "auroc": roc_auc_score(positive, values),
            "fpr95": fpr[np.argmax(tpr >= 0.95)],
        }
        for name, value in expected.items():
            assert scores[name + suffix]["value"] == pytest.approx(value, abs=1e-12)
