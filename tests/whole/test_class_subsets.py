"""A benchmark over some classes is one YAML file: through the command line, checked by hand."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from in_process import make_importable
from PIL import Image
from toys import Cli

from oodbench.cli.table import main
from oodbench.reference import imagenet_wnids
from oodbench.runs.records import read_split

INDICES = list(range(5, 1000, 34))
"""Thirty classes, far apart."""

BENCHMARK = """# Thirty classes of ImageNet-1k.
name: thirty
root: ${data.root}/thirty
published_preprocessing:
  default: {resize: 32}
protocol:
  _target_: oodbench.benchmarks.folder.FolderBenchmark
  root: ${benchmark.root}
  n_expected: 60
  classes: my_conf/thirty.txt
  readout: {_target_: oodbench.readouts.Subset, classes: '${..classes}'}
  scores: [oodbench.metrics.accuracy.subset, oodbench.metrics.calibration.calibration]
"""


def pictures() -> list[Image.Image]:
    """Of the toy network's input size, so that nothing is resized."""
    coarse = np.random.default_rng(7).integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    return [Image.fromarray(p).resize((32, 32), Image.Resampling.NEAREST) for p in coarse]


def toy_logits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Of the pictures, `(60, 1000)`."""
    make_importable(folder, monkeypatch)
    monkeypatch.delitem(sys.modules, "toy_network", raising=False)
    import toy_network

    stacked = np.stack([np.asarray(p) for p in pictures()]).transpose(0, 3, 1, 2) / 255
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    normalised = (stacked - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    with torch.no_grad():
        found = toy_network.Toy()(torch.from_numpy(normalised).float()).numpy()
    monkeypatch.delitem(sys.modules, "toy_network")
    return np.asarray(found)


@pytest.fixture
def logits(toy: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The benchmark in the toy folder; two of three pictures lie in the class that fits best."""
    wnids = [imagenet_wnids()[k] for k in INDICES]
    (toy / "my_conf/benchmark").mkdir()
    (toy / "my_conf/benchmark/thirty.yaml").write_text(BENCHMARK)
    (toy / "my_conf/thirty.txt").write_text("\n".join(wnids[::-1]) + "\n")
    found = toy_logits(toy, monkeypatch)
    for number, picture in enumerate(pictures()):
        best = int(found[number, INDICES].argmax())
        folder = toy / "data/thirty" / wnids[best if number % 3 else (best + 1) % 30]
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number:02d}.png")
    outside = toy / "data/thirty" / imagenet_wnids()[0]
    outside.mkdir()
    pictures()[0].save(outside / "outside.png")
    return found


def stored(toy: Path) -> tuple[Path, dict[str, Any]]:
    (file,) = (toy / "outputs/runs/thirty").glob("*/*/result.json")
    content: dict[str, Any] = json.loads(file.read_text())
    return file, content


def test_thirty_classes_are_one_yaml(toy: Path, cli: Cli, logits: np.ndarray) -> None:
    done = cli("model=toy", "benchmark=thirty", "data.allow_partial=false")
    assert done.returncode == 0, done.stdout + done.stderr
    file, result = stored(toy)
    records = read_split(file.parent / "records", "")
    numbers = [int(Path(image).stem) for image in records["image"]]
    assert sorted(numbers) == list(range(60))
    among = logits[numbers][:, INDICES]
    exponentials = np.exp(among - among.max(axis=1, keepdims=True))
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    assert records["prediction_30way"].tolist() == [INDICES[k] for k in among.argmax(axis=1)]
    np.testing.assert_allclose(records["confidence_30way"], confidence, atol=1e-4)
    labels = np.array([imagenet_wnids().index(image.split("/")[0]) for image in records["image"]])
    right = labels == np.array(INDICES)[among.argmax(axis=1)]
    scores = {name: score["value"] for name, score in result["scores"][""].items()}
    assert scores["top1"] == right.mean() == 40 / 60
    assert scores["top1_1000way"] == (logits[numbers].argmax(axis=1) == labels).mean()
    # Below 100 pictures there is one bin.
    gap = abs(confidence.mean() - 40 / 60)
    assert scores["rms_calibration_error"] == pytest.approx(gap, abs=1e-4)
    protocol = result["config"]["benchmark"]["protocol"]
    wnids = [imagenet_wnids()[k] for k in INDICES]
    assert protocol["classes"] == wnids
    assert protocol["readout"] == {"_target_": "oodbench.readouts.Subset", "classes": wnids}
    assert protocol["scores"][0] == "oodbench.metrics.accuracy.imagenet_a"  # the id of `subset`
    # The result holds the classes, so that it is scored again without their file.
    (toy / "my_conf/thirty.txt").unlink()
    unscored = {name: value for name, value in result.items() if name != "sha256"}
    file.write_text(json.dumps({**unscored, "scores": {"": {}}}))
    assert main(["--output-root", str(toy / "outputs"), "--rescore", "--quiet"]) == 0
    assert stored(toy)[1] == result


def test_a_model_of_other_classes_is_refused_in_one_line(
    toy: Path, cli: Cli, logits: np.ndarray
) -> None:
    others = [wnid for k, wnid in enumerate(imagenet_wnids()) if k not in INDICES]
    (toy / "classes.txt").write_text("\n".join([*others, *["background"] * 30]) + "\n")
    refused = cli("model=toy", "benchmark=thirty", "model.classes=classes.txt")
    assert refused.returncode == 1
    assert "no output for any of the 30 classes" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert not list((toy / "outputs").rglob("result.json"))
