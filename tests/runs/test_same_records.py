"""Records of a run with the same key are copied, and only sound ones of the very same question."""

import json
from pathlib import Path

import pytest
from toys import Cli

TWIN = """# The validation pictures under another name.
name: twin
root: ${data.root}/imagenet/val
published_preprocessing:
  default: {resize: 256, crop: 224, interpolation: bilinear}
protocol:
  _target_: oodbench.benchmarks.folder.FolderBenchmark
  root: ${benchmark.root}
  n_expected: 50000
  scores: [oodbench.metrics.accuracy.error]
"""
TAKEN = "taken over from runs with the same key"


@pytest.fixture
def twin(toy: Path, cli: Cli) -> Path:
    """The toy folder with a finished run on ImageNet."""
    (toy / "my_conf/benchmark").mkdir()
    (toy / "my_conf/benchmark/twin.yaml").write_text(TWIN)
    assert cli("model=toy", "benchmark=imagenet").returncode == 0
    return toy


def records(toy: Path, benchmark: str) -> list[Path]:
    return sorted((toy / "outputs/runs" / benchmark).glob("*/*/records/*.parquet"))


def test_the_same_question_is_answered_once(twin: Path, cli: Cli) -> None:
    done = cli("model=toy", "benchmark=twin")
    assert done.returncode == 0, done.stderr
    assert TAKEN in done.stderr
    (ours,), (theirs,) = records(twin, "twin"), records(twin, "imagenet")
    assert ours.read_bytes() == theirs.read_bytes()
    session = json.loads((ours.parents[1] / "run.json").read_text())
    assert session["sessions"][-1]["items"] == 0


def test_another_pipeline_is_another_question(twin: Path, cli: Cli) -> None:
    done = cli("model=toy", "benchmark=twin", "preprocessing.crop=200")
    assert done.returncode == 0, done.stderr
    assert TAKEN not in done.stderr
    assert len(records(twin, "twin")) == 1


def test_damaged_records_are_not_taken(twin: Path, cli: Cli) -> None:
    (theirs,) = records(twin, "imagenet")
    theirs.write_bytes(theirs.read_bytes()[:-20])
    done = cli("model=toy", "benchmark=twin")
    assert done.returncode == 0, done.stderr
    assert TAKEN not in done.stderr
    assert records(twin, "twin")[0].read_bytes() != theirs.read_bytes()


def test_a_key_of_another_document_is_not_taken(twin: Path, cli: Cli) -> None:
    (theirs,) = records(twin, "imagenet")
    (theirs.parents[1] / "key.json").write_text('{"schema": 1}')
    done = cli("model=toy", "benchmark=twin")
    assert done.returncode == 0, done.stderr
    assert TAKEN not in done.stderr


def test_what_a_smaller_run_left_is_completed(twin: Path, cli: Cli) -> None:
    """A part of a chunk is taken, and the rest of it computed."""
    for path in sorted((twin / "outputs/runs/imagenet").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert cli("model=toy", "benchmark=imagenet", "limit=2").returncode == 0
    done = cli("model=toy", "benchmark=twin")
    assert done.returncode == 0, done.stderr
    assert TAKEN in done.stderr
    assert cli("model=toy", "benchmark=imagenet").returncode == 0
    assert records(twin, "twin")[0].read_bytes() == records(twin, "imagenet")[0].read_bytes()
