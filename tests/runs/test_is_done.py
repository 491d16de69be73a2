"""Whether a run is done: a result that cannot be used is named, not passed over."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import go_there
from run_factory import run_result

from oodbench.core.errors import DataError
from oodbench.core.files import write_json
from oodbench.runs.done import is_done
from oodbench.runs.plan import Plan, make_plan
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import write_result
from oodbench.sweeps.catalogue import load_runs


@pytest.fixture
def plan(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Of the toy model, with a finished run on disk."""
    go_there(toy, monkeypatch)
    given = [f"data.root={toy / 'data'}", "data.allow_partial=true", f"output_root={toy / 'out'}"]
    plan = make_plan(load_runs(["toy"], ["engine=eager", "limit=4", *given], toy / "my_conf")[0])
    counts = {"n_items": 4, "n": 4, "n_expected": 50_000, "skipped": []}
    write_json(plan.paths.key_document, plan.document)
    info = ChunkInfo(4, (), "eager", "cpu", 4)
    chunk = chunk_path(plan.paths.records, "", 0)
    write_chunk(chunk, {"position": np.arange(4, dtype=np.int32)}, info)
    write_result(plan.paths.result, run_result("toy", key=plan.key, splits={"": counts}))
    return plan


def test_a_whole_result_is_found(plan: Plan) -> None:
    assert is_done(plan) is not None


def test_a_result_of_schema_1_is_found(plan: Plan) -> None:
    content = json.loads(plan.paths.result.read_text())
    for name in ("schema", "column", "official", "sha256"):
        del content[name]
    plan.paths.result.write_text(json.dumps({**content, "difference": "seed=1"}))
    found = is_done(plan)
    assert found is not None
    assert (found.difference, found.column.title) == (["seed=1"], "IN")


@pytest.mark.parametrize(("text", "said"), [("{", "damaged"), ("{}", "fields missing")])
def test_a_result_that_cannot_be_used_is_named(
    plan: Plan, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    plan.paths.result.write_text(text)
    assert is_done(plan) is None
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{plan.paths.result}: not used: ")
    assert said in record.getMessage()


def test_a_result_of_a_newer_version_is_not_computed_anew(plan: Plan) -> None:
    plan.paths.result.write_text('{"schema": 4}')
    with pytest.raises(DataError, match="schema 4, .*; update oodbench, or set output_root to ano"):
        is_done(plan)


def test_a_folder_in_the_result_s_place_is_refused_before_anything_is_computed(plan: Plan) -> None:
    plan.paths.result.unlink()
    plan.paths.result.mkdir()
    with pytest.raises(DataError, match=r"result\.json: not used: a folder .*; remove it$"):
        is_done(plan)


def test_key_json_may_spell_its_document_in_its_own_way(plan: Plan) -> None:
    """Lists where the plan has tuples, and other spaces."""
    spelt = replace(plan, document={**plan.document, "severities": (1, 2.0)})
    plan.paths.key_document.write_text(json.dumps({**plan.document, "severities": [1, 2]}))
    assert is_done(spelt) is not None
    assert is_done(plan) is None


def test_a_chunk_that_is_newer_than_the_result_is_opened(plan: Plan) -> None:
    """Others are not: going through finished runs would read all their records."""
    path = chunk_path(plan.paths.records, "", 0)
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content[:-1])
    assert is_done(plan) is None
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_done(plan) is not None
    plan.paths.error.touch()
    assert is_done(plan) is None
