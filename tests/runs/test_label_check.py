"""A run does not begin where labels contradict the known list."""

import shutil
from pathlib import Path

import pytest
from in_process import go_there, planned
from validation_trees import known, write_tree

from oodbench.core.errors import DataError
from oodbench.evaluation.execute import execute
from oodbench.runs.plan import Plan
from oodbench.runs.results import RunResult


@pytest.fixture
def shifted(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy model's folder with validation pictures, each in the folder of the next one."""
    go_there(toy, monkeypatch)
    val = toy / "data" / "imagenet" / "val"
    shutil.rmtree(val)
    write_tree(val, lambda k: known(k + 1), 24)
    return val


def computed(plan: Plan) -> RunResult:
    result = execute(plan)
    assert result is not None
    return result


def test_a_run_on_wrong_labels_does_not_begin(shifted: Path) -> None:
    with pytest.raises(DataError) as refused:
        execute(planned("benchmark=imagenet"))
    said = str(refused.value)
    assert said.startswith("data/imagenet/val: labels are shifted by one")
    mend = "oodbench-data prepare imagenet --from data/imagenet/val --to data --move"
    assert said.endswith(f": {mend}, or set data.check=off")
    assert "\n" not in said


def test_it_may_be_told_to(shifted: Path) -> None:
    result = computed(planned("benchmark=imagenet", "data.check=off"))
    assert "data.check=off: labels were not compared with the known list" in result.notes


def test_that_labels_are_right_is_remembered(
    shifted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from oodbench.runs import label_check

    monkeypatch.setenv("OODBENCH_CACHE", str(tmp_path / "cache"))
    calls = []
    monkeypatch.setattr(label_check, "label_problem", lambda found, _: calls.append(found) or "")
    label_check.refuse_wrong_labels(planned("benchmark=imagenet", "limit=2"))
    label_check.refuse_wrong_labels(planned("benchmark=imagenet", "limit=4"))
    assert len(calls) == 1
