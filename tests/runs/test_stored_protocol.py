"""Results from before there was a table of ids are scored again; nothing else is imported."""

import json
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oodbench.cli.table import main
from oodbench.core.errors import DataError
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import read_result
from oodbench.runs.scoring import rescore

STORED: dict[str, Any] = {
    "key": "b14d7675b164",
    "model": "efficientnet_lite2",
    "benchmark": "imagenet_a",
    "preprocessing": "published",
    "attack": "none",
    "difference": "",
    "status": "partial",
    "demo": False,
    "extension": False,
    "headline": "top1",
    "n_images": 4,
    "n_expected": 7500,
    "splits": {"": {"n_items": 4, "n": 4, "n_expected": 7500, "skipped": []}},
    "missing_splits": [],
    "notes": [],
    "scores": {"": {}},
    "weights": "sha256:96",
    "precision": "fp32",
    "dataset_fingerprint": "b3",
    "config": {
        "model": {
            "network": {
                "_target_": "oodbench.models.networks.timm_network",
                "architecture": "tf_efficientnet_lite2",
            },
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "weights": "sha256:96",
        },
        "preprocessing": {
            "name": "published",
            "_target_": "oodbench.preprocessing.Preprocessing",
            "square_crop": True,
            "resize": 260,
            "crop": None,
            "resize_after_crop": None,
            "interpolation": "bicubic",
            "backend": "pil",
        },
        "attack": {"name": "none"},
        "seed": 0,
        "benchmark": {
            "protocol": {
                "_target_": "oodbench.benchmarks.folder.FolderBenchmark",
                "root": "no/such/folder",
                "n_expected": 7500,
                "classes": "imagenet_a",
                "inside": ["imagenet-a"],
                "readout": {"_target_": "oodbench.readouts.ImageNetASubset"},
                "scores": [
                    "oodbench.metrics.accuracy.imagenet_a",
                    "oodbench.metrics.calibration.calibration",
                ],
            },
            "version": 1,
        },
    },
    "attack_report": None,
}
"""A result.json in the form that the code wrote before there was a table of ids."""

OWN = """
from pathlib import Path

from oodbench.benchmarks.folder import FolderBenchmark
from oodbench.metrics.accuracy import top1
from oodbench.readouts import Standard

Path(__file__).with_name("imported").touch()


class Mine(FolderBenchmark):
    pass


class Columns(Standard):
    pass
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four pictures of classes of ImageNet-A, the last one taken for the first one's class."""
    folder = tmp_path / "runs/imagenet_a/efficientnet_lite2/b14d7675b164"
    columns = {
        "image": np.array([f"n0/{k}.jpg" for k in range(4)]),
        "position": np.arange(4, dtype=np.int32),
        "label": np.array([6, 11, 13, 15], dtype=np.int16),
        "prediction": np.array([6, 0, 1, 2], dtype=np.int16),
        "confidence": np.array([0.5, 0.5, 0.5, 0.5], dtype=np.float32),
        "top5": np.array([[6, 1, 2, 3, 4], [0, 11, 2, 3, 4], [1, 0, 2, 3, 4], [2, 0, 1, 3, 4]]),
        "prediction_200way": np.array([6, 11, 13, 6], dtype=np.int16),
        "confidence_200way": np.array([0.9, 0.8, 0.3, 0.4], dtype=np.float32),
    }
    info = ChunkInfo(4, (), "eager", "cpu", 2)
    write_chunk(chunk_path(folder / "records", "", 0), columns, info)
    (folder / "result.json").write_text(json.dumps(STORED))
    return tmp_path


def result_file(root: Path) -> Path:
    (file,) = root.glob("runs/*/*/*/result.json")
    return file


def change(root: Path, protocol: dict[str, Any]) -> None:
    content = deepcopy(STORED)
    content["config"]["benchmark"]["protocol"] |= protocol
    result_file(root).write_text(json.dumps(content))


def test_a_result_of_before_is_scored_again(root: Path) -> None:
    assert main(["--output-root", str(root), "--rescore", "--quiet"]) == 0
    found = read_result(result_file(root))
    assert found is not None
    values = {name: score.value for name, score in found.scores[""].items()}
    assert values["top1"] == 3 / 4
    assert values["top1_1000way"] == 1 / 4
    # One bin: mean confidence 0.6, three of four right.
    assert values["rms_calibration_error"] == pytest.approx(0.15)
    # By falling confidence: right, right, wrong, right.
    assert values["aurra"] == pytest.approx((1 + 1 + 2 / 3 + 3 / 4) / 4)
    assert json.loads(result_file(root).read_text())["config"] == STORED["config"]


@pytest.fixture
def own_code(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's module; the file that is there once it was imported."""
    (root / "own_code_of_a_user.py").write_text(OWN)
    monkeypatch.syspath_prepend(root)
    monkeypatch.delitem(sys.modules, "own_code_of_a_user", raising=False)
    return root / "imported"


@pytest.mark.parametrize(
    ("protocol", "key", "target"),
    [
        ({"_target_": "own_code_of_a_user.Mine"}, "_target_", "own_code_of_a_user.Mine"),
        (
            {
                "readout": {"_target_": "own_code_of_a_user.Columns"},
                "scores": ["oodbench.metrics.accuracy.top1"],
            },
            "readout._target_",
            "own_code_of_a_user.Columns",
        ),
        ({"scores": ["own_code_of_a_user.top1"]}, "scores", "own_code_of_a_user.top1"),
    ],
)
def test_own_code_runs_where_it_is_allowed(
    root: Path,
    own_code: Path,
    protocol: dict[str, Any],
    key: str,
    target: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(root, protocol)
    before = result_file(root).read_bytes()
    command = ["--output-root", str(root), "--rescore", "--quiet"]
    for wrong in ([], ["--allow-target", "own_code_of_a_user"], ["--allow-target", "Mine"]):
        assert main([*command, *wrong]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(
            f"error: {result_file(root)}: benchmark.protocol.{key}={target} is no "
        )
        assert line.endswith(f"add --allow-target {target}")
    assert not own_code.exists()
    assert result_file(root).read_bytes() == before
    assert main([*command, "--allow-target", "other.Name", "--allow-target", target]) == 0
    assert own_code.exists()
    found = read_result(result_file(root))
    assert found is not None
    assert found.scores[""]["top1"].n == 4


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"_target_": "os.system", "command": "true"}, "_target_=os.system is no benchmark"),
        (
            {"_target_": "oodbench.models.networks.function_network", "function": "os.system"},
            "_target_=oodbench.models.networks.function_network is no benchmark",
        ),
        ({"_target_": {"a": 1}}, "is no benchmark"),
        ({"inside": [{"x": {"_target_": "os.system"}}]}, "inside.0.x._target_=os.system is no rea"),
        ({"scores": "os.system"}, "scores=os.system is no score"),
        ({"scores": [{"_target_": "os.system"}]}, "is no score"),
        ({"inside": ["${oc.create:{_target_:os.system}}"]}, "a result holds no interpolation"),
    ],
)
def test_nothing_else_is_instantiated(root: Path, protocol: dict[str, Any], said: str) -> None:
    change(root, protocol)
    result = read_result(result_file(root))
    assert result is not None
    with pytest.raises(DataError) as caught:
        rescore(result)
    assert str(caught.value).startswith(f"{result_file(root)}: benchmark.protocol.")
    assert said in str(caught.value)


def test_a_result_without_a_protocol_is_named(root: Path) -> None:
    content = {**STORED, "config": {}}
    result_file(root).write_text(json.dumps(content))
    assert main(["--output-root", str(root), "--rescore", "--quiet"]) == 1
    result = read_result(result_file(root))
    assert result is not None
    with pytest.raises(DataError, match=r"result\.json: config\.benchmark\.protocol has no"):
        rescore(result)
