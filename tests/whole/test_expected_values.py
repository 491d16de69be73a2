"""efficientnet_lite0 on real pictures, against figures computed with the published run's own code.

Counts are exact, calibration within 1e-6, through the command line.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from calling import call

from oodbench.run import main

DATA = os.environ.get("OODBENCH_TEST_DATA")
EXPECTED = Path(__file__).with_name("expected_values.json")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures"
    ),
]

# (our preprocessing, the file's name for it)
PIPELINES = [
    ("resize256_crop224", "published_default"),
    ("published", "published_efficientnet"),
    ("timm", "timm"),
]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return loaded


def scores(output: Path, *overrides: str) -> dict[str, Any]:
    common = ["model=efficientnet_lite0", f"data.root={DATA}", "data.allow_partial=true"]
    done = call(main, [*common, f"output_root={output}", *overrides], folder=output)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = output.glob("runs/*/*/*/result.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def count(score: dict[str, Any]) -> float:
    return float(score["value"]) * int(score["n"])


@pytest.mark.parametrize(("ours", "theirs"), PIPELINES)
def test_imagenet(expected: dict[str, Any], tmp_path: Path, ours: str, theirs: str) -> None:
    wanted = expected[theirs]["imagenet"]
    result = scores(tmp_path, "benchmark=imagenet", f"preprocessing={ours}")
    assert result["n_images"] == wanted["n"]
    assert count(result["scores"][""]["top1"]) == pytest.approx(wanted["top1_count"], abs=1e-6)
    assert count(result["scores"][""]["top5"]) == pytest.approx(wanted["top5_count"], abs=1e-6)


@pytest.mark.parametrize(("ours", "theirs"), PIPELINES)
def test_imagenet_a(expected: dict[str, Any], tmp_path: Path, ours: str, theirs: str) -> None:
    wanted = expected[theirs]["imagenet_a"]
    root = f"benchmark.root={DATA}/imagenet/val"
    result = scores(tmp_path, "benchmark=imagenet_a", root, f"preprocessing={ours}")
    found = result["scores"][""]
    assert result["n_images"] == wanted["n"]
    assert count(found["top1"]) == pytest.approx(wanted["top1_count"], abs=1e-6)
    assert count(found["top1_1000way"]) == pytest.approx(wanted["top1_1000way_count"], abs=1e-6)
    for name in ("rms_calibration_error_published", "rms_calibration_error", "aurra"):
        assert found[name]["value"] == pytest.approx(wanted[name], abs=1e-6)


def test_cue_conflict(expected: dict[str, Any], tmp_path: Path) -> None:
    wanted = expected["cue_conflict"]
    result = scores(tmp_path, "benchmark=cue_conflict", "model.family=default")
    found = result["scores"][""]
    assert result["n_images"] == wanted["n_stimuli"]
    rules = {
        "max": ("shape_bias", "fraction_correct"),
        "mean": ("shape_bias_mean_rule", "fraction_correct_mean_rule"),
    }
    for rule, (bias, fraction) in rules.items():
        figures = wanted["rules"][rule]
        assert found[bias]["value"] == pytest.approx(figures["shape_bias"], abs=1e-12)
        assert count(found[bias]) == pytest.approx(figures["shape_count"], abs=1e-9)
        assert found[fraction]["value"] == pytest.approx(figures["fraction_correct"], abs=1e-12)
        assert found[fraction]["n"] == wanted["n_conflict"]
