"""A job stands where its file, its run's folder and its process say."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oodbench.core.files import write_json
from oodbench.core.lease import LIMIT, Owner, this_process
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.sweeps.standing.definition import keep_sweep, kept_sweeps, sweep_of
from oodbench.sweeps.standing.job_file import JobFile, job_file, write_job
from oodbench.sweeps.standing.standing import Standing, standings

JOB = ["model=toy", "benchmark=imagenet"]
RUN = "runs/imagenet/toy/0123456789ab"
ELSEWHERE = Owner("node07", 12, "another machine", "3")


def job(state: str = "running", **changed: object) -> JobFile:
    now = time.time()
    known = JobFile("toy × imagenet", state, now, now, this_process(), directory=RUN, n_items=60)
    return replace(known, overrides=JOB, **changed)  # type: ignore[arg-type]


def stands(root: Path, found: JobFile | None = None) -> Standing:
    if found is not None:
        write_job(root, found)
    (standing,) = standings(root, sweep_of([], [JOB]))
    return standing


def finish(root: Path) -> None:
    write_json(root / RUN / "result.json", {})


def records(root: Path, n_items: int) -> None:
    columns = {"position": np.arange(n_items)}
    info = ChunkInfo(n_items, (), "eager", "cpu", 8)
    write_chunk(chunk_path(root / RUN / "records", "", 0), columns, info)


def test_a_job_that_has_not_begun_is_missing(tmp_path: Path) -> None:
    found = stands(tmp_path)
    assert (found.state, found.cell) == ("missing", "model=toy benchmark=imagenet")


@pytest.mark.parametrize("state", ["done", "skipped", "waiting", "running"])
def test_a_job_whose_run_has_a_result_is_done(tmp_path: Path, state: str) -> None:
    finish(tmp_path)
    assert stands(tmp_path, job(state)).state == "done"


@pytest.mark.parametrize(
    ("state", "stand"), [("done", "missing"), ("skipped", "missing"), ("waiting", "waiting")]
)
def test_a_job_whose_result_is_not_there(tmp_path: Path, state: str, stand: str) -> None:
    assert stands(tmp_path, job(state)).state == stand


def test_a_failure_says_why(tmp_path: Path) -> None:
    found = stands(tmp_path, job("failed", message="no such folder", log="logs/0/oodbench.log"))
    assert (found.state, found.message, found.log) == (
        "failed",
        "no such folder",
        "logs/0/oodbench.log",
    )


def test_a_running_job_has_a_rate_of_what_it_has_done_itself(tmp_path: Path) -> None:
    records(tmp_path, 40)
    found = stands(tmp_path, job(started=time.time() - 10, n_before=20))
    assert (found.state, found.n_done, found.n_items) == ("running", 40, 60)
    assert found.rate == pytest.approx(2.0, rel=0.05)
    assert found.seconds_left == pytest.approx(10.0, rel=0.05)


def test_a_process_that_has_died_here_is_lost(tmp_path: Path) -> None:
    records(tmp_path, 40)
    dead = replace(this_process(), started="1")  # the number was given to another process
    found = stands(tmp_path, job(owner=dead))
    assert (found.state, found.n_done) == ("lost", 40)


def test_a_process_elsewhere_lives_by_its_signs(tmp_path: Path) -> None:
    old = time.time() - 3 * LIMIT
    assert stands(tmp_path, job(owner=ELSEWHERE)).state == "running"
    assert stands(tmp_path, job(owner=ELSEWHERE, changed=old)).state == "lost"
    lease = tmp_path / RUN / "records" / ".all-00000.parquet.lease"
    lease.parent.mkdir(parents=True)
    lease.touch()
    assert stands(tmp_path, job(owner=ELSEWHERE, changed=old)).state == "running"


def test_a_damaged_file_is_that_of_a_job_that_has_not_begun(tmp_path: Path) -> None:
    write_job(tmp_path, job())
    job_file(tmp_path, JOB).write_text('{"cell": "toy"}')
    assert stands(tmp_path).state == "missing"


def test_the_last_launched_sweep_comes_first(tmp_path: Path) -> None:
    first, second = sweep_of(["a"], [["a"]]), sweep_of(["b"], [["b"]])
    for number, sweep in enumerate((first, second, first)):
        keep_sweep(tmp_path, sweep)
        file = tmp_path / "sweeps" / f"{sweep.identity}.json"
        os.utime(file, (number, number))
    (tmp_path / "sweeps" / "broken.json").write_text("{")
    (tmp_path / "sweeps" / "later.json").write_text('{"schema": 99}')
    assert [sweep.overrides for sweep in kept_sweeps(tmp_path)] == [["a"], ["b"]]
