import json
from pathlib import Path

import pandas as pd
import pytest
from run_factory import run_result, score, store, store_records

from oodbench.core.errors import DataError
from oodbench.runs.results import RunResult, read_results
from oodbench.runs.scoring import rescore
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.store import summaries

TOP1 = {
    "benchmark": {
        "protocol": {
            "_target_": "oodbench.benchmarks.folder.FolderBenchmark",
            "root": "nowhere",
            "n_expected": 4,
            "scores": ["oodbench.metrics.accuracy.top1"],
        }
    }
}
COLUMNS = {
    "image": ["a", "b", "c", "d"],
    "frame": [0, 0, 0, 0],
    "label": [0, 1, 2, 3],
    "prediction": [0, 1, 0, 3],
    "confidence": [0.9, 0.8, 0.7, 0.6],
    "top5": [[0, 1, 2, 3, 4]] * 4,
}


@pytest.fixture
def run(tmp_path) -> RunResult:
    """A finished run, scored by a version that wrote no summary."""
    counts = {"": {"n_items": 4, "n": 4, "n_expected": 4, "skipped": []}}
    folder = store(run_result(splits=counts, scores={"top1": score(0.75)}, config=TOP1), tmp_path)
    store_records(folder, "", COLUMNS)
    return again(tmp_path)


def again(root: Path) -> RunResult:
    return read_results(root).results[0]


def test_a_missing_summary_is_made_once(run, tmp_path):
    before = run.paths.result.read_bytes()
    made = summaries([run])
    assert made[run.directory].right == 3
    collector = Collector(None)
    collector.add(pd.DataFrame(COLUMNS))
    assert made[run.directory] == collector.summary()
    for chunk in run.paths.records.iterdir():
        chunk.unlink()
    assert summaries([run]) == made
    assert run.paths.result.read_bytes() == before


def test_rescoring_writes_the_same_summary(run, tmp_path):
    made = summaries([run])
    run.paths.summary.unlink()
    rescore(run)
    assert run.paths.summary.exists()
    for chunk in run.paths.records.iterdir():
        chunk.unlink()
    assert list(summaries([again(tmp_path)]).values()) == list(made.values())


@pytest.mark.parametrize(
    "change", [{"schema": 99}, {"rests_on": "another"}, {"right": 2}, {"risk": 3, "sha256": None}]
)
def test_a_summary_of_something_else_is_made_anew(run, change):
    made = summaries([run])
    content = json.loads(run.paths.summary.read_text("utf-8")) | change
    if change.get("sha256", "") is None:
        del content["sha256"]
    run.paths.summary.write_text(json.dumps(content), "utf-8")
    assert summaries([run]) == made


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"schema": 1}'])
def test_a_damaged_summary_is_made_anew(run, text):
    made = summaries([run])
    run.paths.summary.write_text(text, "utf-8")
    assert summaries([run]) == made


def test_damaged_records_are_one_line(run):
    chunk = next(run.paths.records.iterdir())
    chunk.write_bytes(chunk.read_bytes()[:-20])
    problems: list[str] = []
    assert summaries([run], problems) == {}
    assert len(problems) == 1
    assert str(chunk) in problems[0]
    assert run.paths.error.exists()
    with pytest.raises(DataError, match="damaged"):
        summaries([run])


def test_no_runs():
    assert summaries([]) == {}
