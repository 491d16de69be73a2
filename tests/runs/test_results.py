"""result.json and error.json: what is written is read, damage is no result."""

import json
import math
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest

from oodbench.metrics.score import Score
from oodbench.runs.paths import RunPaths
from oodbench.runs.results import (
    RunResult,
    read_failures,
    read_result,
    read_results,
    write_failure,
    write_result,
)

RESULT = RunResult(
    key="0123456789ab",
    model="resnet50",
    benchmark="imagenet_c",
    preprocessing="published",
    attack="none",
    difference="",
    status="partial",
    demo=False,
    extension=False,
    headline="mce",
    n_images=3,
    n_expected=4,
    splits={
        "fog/3": {
            "n_items": 4,
            "n": 3,
            "n_expected": 4,
            "skipped": [{"image": "ü.jpg", "reason": "cut"}],
        }
    },
    missing_splits=["fog/4"],
    notes=["a note"],
    scores={
        "": {"mce": Score(nan, nan, nan, 0, unit="percent", higher_is_better=False, note="no fog")},
        "fog/3": {
            "error": Score(1 / 3, 0.1, 0.7, 3, higher_is_better=False),
            "share": Score(0.1 + 0.2, nan, nan, 3, higher_is_better=None),
        },
    },
    weights=None,
    precision="fp32",
    dataset_fingerprint="ff",
    config={"benchmark": {"protocol": {"root": "data"}}, "seed": 0},
)


def paths(root: Path, benchmark: str, model: str, key: str = "k") -> RunPaths:
    return RunPaths.of(root, benchmark, model, key)


def same(one: Score, other: Score) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = paths(tmp_path, "imagenet_c", "resnet50").result
    write_result(path, RESULT)
    found = read_result(path)
    assert found is not None
    assert replace(found, scores={}) == replace(RESULT, scores={})
    for split, scores in RESULT.scores.items():
        assert list(found.scores[split]) == list(scores)
        assert all(same(found.scores[split][name], score) for name, score in scores.items())
    assert math.isnan(found.scores[""]["mce"].value)
    assert found.directory == path.parent
    assert found.modified == path.stat().st_mtime


def test_the_file_is_strict_json_without_place_and_time(tmp_path: Path) -> None:
    write_result(tmp_path / "a" / "result.json", replace(RESULT, directory=Path("x"), modified=1.0))
    write_result(tmp_path / "b" / "result.json", RESULT)
    text = (tmp_path / "a" / "result.json").read_text("utf-8")
    assert text == (tmp_path / "b" / "result.json").read_text("utf-8")
    assert "NaN" not in text
    stored = json.loads(text)
    assert not {"directory", "modified"} & set(stored)
    assert stored["scores"][""]["mce"]["value"] is None
    assert stored["scores"]["fog/3"]["error"]["value"] == 1 / 3


def stored() -> dict[str, Any]:
    content: dict[str, Any] = vars(replace(RESULT, scores={})).copy()
    del content["directory"], content["modified"]
    return content


def test_the_undamaged_content_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(stored()))
    assert read_result(tmp_path / "result.json") is not None


DAMAGED = {
    "empty": "",
    "cut": json.dumps(stored())[:-9],
    "a list": "[]",
    "null": "null",
    "not text": "\x00",
    "no scores": json.dumps({k: v for k, v in stored().items() if k != "scores"}),
    "no key": json.dumps({k: v for k, v in stored().items() if k != "key"}),
    "one key more": json.dumps({**stored(), "colour": "red"}),
    "scores of another kind": json.dumps({**stored(), "scores": [1]}),
    "a score without a limit": json.dumps({**stored(), "scores": {"": {"a": {"value": 1}}}}),
    "a score that is a number": json.dumps({**stored(), "scores": {"": {"a": 1}}}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_no_result(damage: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(DAMAGED[damage])
    assert read_result(tmp_path / "result.json") is None


def test_bytes_that_are_no_text_are_no_result(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe{}")
    assert read_result(tmp_path / "result.json") is None


def test_a_missing_file_is_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path / "none" / "result.json") is None


def test_a_scan_is_in_order_of_paths_and_leaves_out_the_damaged(tmp_path: Path) -> None:
    cells = [("imagenet", "z"), ("cue_conflict", "b"), ("imagenet", "a"), ("imagenet_a", "c")]
    for benchmark, model in cells:
        write_result(
            paths(tmp_path, benchmark, model).result,
            replace(RESULT, benchmark=benchmark, model=model),
        )
    broken = paths(tmp_path, "imagenet", "m").result
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    unfinished = paths(tmp_path, "imagenet", "n").records
    unfinished.mkdir(parents=True)
    found = [(result.benchmark, result.model) for result in read_results(tmp_path)]
    assert found == [
        ("cue_conflict", "b"),
        ("imagenet", "a"),
        ("imagenet", "z"),
        ("imagenet_a", "c"),
    ]


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert read_results(tmp_path / "nothing") == []
    assert read_failures(tmp_path / "nothing") == []


def test_failures_are_read_in_order(tmp_path: Path) -> None:
    for model in ("b", "a"):
        write_failure(paths(tmp_path, "imagenet", model), {"model": model, "error": "why"})
    damaged = paths(tmp_path, "imagenet", "aa").error
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert read_failures(tmp_path) == [
        {"model": "a", "error": "why"},
        {"model": "b", "error": "why"},
    ]
    assert read_results(tmp_path) == []
