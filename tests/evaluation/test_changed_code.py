"""The user's own network, edited between two runs."""

import py_compile
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import go_there, planned, toy_logits
from numpy.typing import NDArray

from oodbench.core.errors import ConfigError
from oodbench.evaluation import assemble
from oodbench.evaluation.execute import execute
from oodbench.runs.done import is_done
from oodbench.runs.plan import Plan
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult, read_result
from oodbench.runs.scoring import rescore

LIMIT = 6
CODE = "toy_network.py"


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    return go_there(toy, monkeypatch)


def started_again(*overrides: str) -> Plan:
    """The plan of a new process, which has imported nothing of the user's."""
    sys.modules.pop("toy_network", None)
    return planned(f"limit={LIMIT}", *overrides)


def executed(plan: Plan) -> RunResult:
    result = execute(plan)
    assert result is not None
    return result


def predictions(plan: Plan) -> NDArray[np.int16]:
    found: NDArray[np.int16] = read_split(plan.paths.records, "")["prediction"].to_numpy()
    return found


def test_edited_code_is_another_run(here: Path) -> None:
    plan = started_again()
    executed(plan)
    before = predictions(plan)

    code = (here / CODE).read_text()
    (here / CODE).write_text(f"# The same, with a comment.\n{code}")
    commented = started_again()
    assert commented.key == plan.key
    assert is_done(commented)

    (here / CODE).write_text(code.replace("return self", "return -self"))
    flipped = started_again()
    assert flipped.key != plan.key
    assert is_done(flipped) is None
    executed(flipped)
    after = predictions(flipped)
    assert (after != before).all()
    logits = toy_logits(flipped, LIMIT)  # turned round, the smallest is the largest
    assert after.tolist() == logits.argmax(1).tolist()
    assert before.tolist() == logits.argmin(1).tolist()

    named = started_again("code.identity=v1")
    executed(named)
    (here / CODE).write_text(code)
    assert is_done(started_again("code.identity=v1"))
    assert started_again("code.identity=v2").key != named.key
    assert is_done(started_again())


def test_code_without_source_is_never_reused(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    py_compile.compile(CODE, cfile="toy_network.pyc")
    (here / CODE).unlink()
    plan = started_again()
    result = executed(plan)
    assert "no source of toy_network: its identity is unknown" in result.notes
    assert is_done(plan) is None
    assert "the sources of toy_network are unknown" in caplog.text
    assert "set code.identity=NAME" in caplog.text
    with pytest.raises(ConfigError, match=r"shard.count=2: the sources of toy_network are"):
        started_again("shard.count=2")
    with pytest.raises(ConfigError, match=r"cannot be named; set code.identity=NAME"):
        started_again("attack=transfer", "model@attack.source=toy")

    named = started_again("code.identity=v1")
    executed(named)
    assert is_done(named)


def test_edited_scores_are_computed_again_from_the_records(here: Path) -> None:
    scores = "[oodbench.metrics.accuracy.top1,mine_scores.share]"
    options = (f"benchmark.protocol.scores={scores}",)
    code = """
from oodbench.metrics.score import Score
def share(records):
    return {"share": Score(0.25, 0.0, 1.0, len(records), "percent", True)}
"""

    def share_after(text: str) -> float:
        (here / "mine_scores.py").write_text(text)
        sys.modules.pop("mine_scores", None)
        plan = started_again(*options)
        assert plan.key == key
        assert is_done(plan) is None
        result = executed(plan)
        assert is_done(plan)
        assert chunk_of(plan) == chunk
        return result.scores[""]["share"].value

    (here / "mine_scores.py").write_text(code)
    plan = started_again(*options)
    key = plan.key
    first = executed(plan)
    assert first.scores[""]["share"].value == 0.25
    chunk = chunk_of(plan)
    (here / "mine_scores.py").write_text(f"# The same.\n{code}")
    assert is_done(started_again(*options))
    assert share_after(code.replace("0.25", "0.75")) == 0.75

    fewer = started_again("benchmark.protocol.scores=[mine_scores.share]")
    assert is_done(fewer) is None
    assert set(executed(fewer).scores[""]) == {"share"}
    assert is_done(fewer)
    assert is_done(started_again(*options)) is None
    assert {"share", "top1"} <= set(executed(started_again(*options)).scores[""])
    assert chunk_of(plan) == chunk

    (here / "mine_scores.py").write_text(code.replace("0.25", "0.5"))
    sys.modules.pop("mine_scores", None)
    rescore(executed_result(plan), ["mine_scores.share"])
    rescored = is_done(started_again(*options))
    assert rescored is not None
    assert rescored.scores[""]["share"].value == 0.5


def chunk_of(plan: Plan) -> tuple[str, int]:
    """Name and time of the one chunk."""
    (path,) = plan.paths.records.glob("*.parquet")
    return path.name, path.stat().st_mtime_ns


def executed_result(plan: Plan) -> RunResult:
    """As it is on disk."""
    result = read_result(plan.paths.result)
    assert result is not None
    return result
