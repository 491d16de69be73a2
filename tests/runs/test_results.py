"""result.json and error.json: what is written is read, damage and newer schemas are named."""

import json
import math
from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from typing import Any

import pytest

from oodbench.core.checksum import write_checked
from oodbench.core.errors import DataError
from oodbench.core.schema import ColumnConfig, ColumnMetric
from oodbench.metrics.score import Score
from oodbench.runs.paths import RunPaths
from oodbench.runs.results import (
    RunFailure,
    RunResult,
    StoredRuns,
    no_runs,
    read_failure,
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
    difference=["attack.eps=0.03", "seed=1"],
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
    attack_traits=None,
    column=ColumnConfig(
        "IN-C",
        3,
        {"mce": ColumnMetric(caption="mCE")},
        lower_is_better=True,
        parts={"ce": "corruption error relative to AlexNet's"},
    ),
    official=True,
)
FAILURE = RunFailure("k", "m", "imagenet", "published", "none", ["seed=1"], "why")


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


def test_a_failure_of_schema_2_said_nothing_of_the_attempt(tmp_path: Path) -> None:
    content = {name: value for name, value in asdict(FAILURE).items() if name != "attempt"}
    write_checked(tmp_path / "error.json", {"schema": 2, **content})
    assert read_failure(tmp_path / "error.json") == FAILURE


def test_a_result_of_schema_2_says_nothing_of_figures(tmp_path: Path) -> None:
    content = stored()
    for name in ("parts", "standard", "baselines", "no_fit"):
        del content["column"][name]
    write_checked(tmp_path / "result.json", {**content, "schema": 2})
    found = read_result(tmp_path / "result.json")
    assert found is not None
    assert found.column == replace(RESULT.column, parts={}, standard="", baselines="", no_fit="")


def stored(**changed: Any) -> dict[str, Any]:
    """What result.json holds, without scores."""
    content: dict[str, Any] = asdict(replace(RESULT, scores={}))
    del content["directory"], content["modified"]
    return {"schema": 3, **content, **changed}


def without(name: str) -> str:
    return json.dumps({key: value for key, value in stored().items() if key != name})


def test_the_undamaged_content_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(stored()))
    assert read_result(tmp_path / "result.json") == replace(RESULT, scores={})


DAMAGED = {
    "empty": ("", "Expecting value"),
    "cut": (json.dumps(stored())[:-9], "damaged"),
    "a list": ("[]", "holds no RunResult"),
    "null": ("null", "holds no RunResult"),
    "nothing": ("{}", "fields missing: key, model, benchmark"),
    "not text": ("\x00", "Expecting value"),
    "no scores": (without("scores"), "fields missing: scores"),
    "no key": (without("key"), "fields missing: key"),
    "one key more": (json.dumps(stored(colour="red")), "fields unknown: colour"),
    "another type": (json.dumps(stored(n_images="3")), "fields of another type: n_images"),
    "text in a list's place": (json.dumps(stored(difference="a=1")), "another type: difference"),
    "scores of another kind": (json.dumps(stored(scores=[1])), "another type: scores"),
    "a score that is a number": (json.dumps(stored(scores={"": {"a": 1}})), "type: scores"),
    "a score without a limit": (json.dumps(stored(scores={"": {"a": {"value": 1}}})), "unit"),
    "a split without counts": (json.dumps(stored(splits={"": {"n": 1}})), "n_items"),
    "a column of nothing": (json.dumps(stored(column={})), "metrics"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named_with_the_reason(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    text, reason = DAMAGED[damage]
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_result(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not used: damaged (")
    assert reason in message
    assert message.endswith("run the same cell again")
    assert "\n" not in message


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="not used: damaged"):
        read_result(tmp_path / "result.json")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    with pytest.raises(DataError, match=r"result\.json: not used: a folder .*; remove it$"):
        read_result(tmp_path / "result.json")


@pytest.mark.parametrize("schema", [4, 0, "3", None])
def test_another_schema_is_named(schema: Any, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps({"schema": schema, "anything": "else"}))
    with pytest.raises(DataError, match=f"schema {schema}, and this oodbench reads up to 3; up"):
        read_result(tmp_path / "result.json")


def of_schema_1(content: dict[str, Any], difference: str) -> str:
    """As it was written before results said their schema."""
    new = ("schema", "column", "official")
    old = {name: value for name, value in content.items() if name not in new}
    return json.dumps({**old, "difference": difference})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("config", ["config"]),
        ("seed=1", ["seed=1"]),
        (
            "preprocessing.resize=[256, 256], attack.x={'a': 1, 'b': 2}, attack.eps=0.02",
            ["preprocessing.resize=[256, 256]", "attack.x={'a': 1, 'b': 2}", "attack.eps=0.02"],
        ),
    ],
)
def test_schema_1_is_read_as_3(text: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(of_schema_1(stored(), text))
    found = read_result(path)
    assert found is not None
    assert found == replace(RESULT, scores={}, difference=words)
    write_result(path, found)
    assert json.loads(path.read_text())["schema"] == 3
    assert read_result(path) == found


@pytest.mark.parametrize(
    ("benchmark", "title", "official"),
    [("imagenet", "IN", False), ("imagenet_c_generated", "", False), ("mine", "", False)],
)
def test_schema_1_takes_the_column_of_the_shipped_benchmark(
    benchmark: str, title: str, official: bool, tmp_path: Path
) -> None:
    (tmp_path / "result.json").write_text(of_schema_1(stored(benchmark=benchmark), ""))
    found = read_result(tmp_path / "result.json")
    assert found is not None
    assert (found.column.title, found.official) == (title, official)


def test_a_missing_file_is_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path / "none" / "result.json") is None


def test_a_scan_is_in_order_of_paths_and_names_the_damaged(tmp_path: Path) -> None:
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
    stored_runs = read_results(tmp_path)
    assert [(result.benchmark, result.model) for result in stored_runs.results] == [
        ("cue_conflict", "b"),
        ("imagenet", "a"),
        ("imagenet", "z"),
        ("imagenet_a", "c"),
    ]
    (problem,) = stored_runs.problems
    assert problem.startswith(f"{broken}: not used: damaged (")


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert read_results(tmp_path / "nothing") == StoredRuns([], [], [])
    assert read_failure(tmp_path / "error.json") is None
    none = f"no finished run below {tmp_path}/runs; run oodbench model=… first"
    assert str(no_runs(tmp_path)) == none
    for name in ("demo", "b"):
        (tmp_path / name / "runs").mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    nested = f"{tmp_path}/b or {tmp_path}/demo"
    assert str(no_runs(tmp_path, ["a line"])) == (
        f"a line\n{none}, or give --output-root {nested}, where there are runs"
    )


def test_failures_are_read_in_order_and_damaged_ones_named(tmp_path: Path) -> None:
    for model in ("b", "a"):
        write_failure(paths(tmp_path, "imagenet", model), replace(FAILURE, model=model))
    incomplete = paths(tmp_path, "imagenet", "aa").error
    incomplete.parent.mkdir(parents=True)
    incomplete.write_text('{"model": "aa"}')
    found = read_results(tmp_path)
    assert found.failures == [replace(FAILURE, model="a"), replace(FAILURE, model="b")]
    assert found.results == []
    (problem,) = found.problems
    assert problem.startswith(f"{incomplete}: not used: damaged (fields missing: key, benchmark")


def test_a_failure_of_schema_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "error.json"
    path.write_text(of_schema_1(asdict(FAILURE), "preprocessing=timm, seed=1"))
    found = read_failure(path)
    assert found is not None
    assert (found.difference, found.column.title) == (["preprocessing=timm", "seed=1"], "IN")
