"""A job stands where its file, its run's folder and its process say."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oodbench.core.files import write_json
from oodbench.core.lease import BEAT, LIMIT, Owner, this_process
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.sweeps.standing import standing
from oodbench.sweeps.standing.definition import keep_sweep, kept_sweeps, sweep_of
from oodbench.sweeps.standing.job_file import JobFile, job_file, write_job
from oodbench.sweeps.standing.standing import Standing, standings
from oodbench.sweeps.standing.text import text_of

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
    (found_there,) = standings(root, sweep_of([], [JOB]))
    return found_there


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
    found = stands(tmp_path, job(seconds=10, n_before=20))
    assert (found.state, found.n_done, found.n_items) == ("running", 40, 60)
    assert found.rate == pytest.approx(2.0, rel=0.05)
    assert found.seconds_left == pytest.approx(10.0, rel=0.05)


def test_a_process_that_has_died_here_is_lost(tmp_path: Path) -> None:
    records(tmp_path, 40)
    dead = replace(this_process(), started="1")  # the number was given to another process
    found = stands(tmp_path, job(owner=dead))
    assert (found.state, found.n_done) == ("lost", 40)


def dated(root: Path, seconds: float) -> None:
    """The job's file, last written so long ago by the clock of the file system."""
    os.utime(job_file(root, JOB), (time.time() - seconds,) * 2)


@pytest.mark.parametrize("shift", [0, -3600, 3600])
def test_a_process_elsewhere_lives_by_its_signs(tmp_path: Path, shift: float) -> None:
    """Whatever its own clock says of the time."""
    there = job(owner=ELSEWHERE, started=time.time() + shift, changed=time.time() + shift)
    assert stands(tmp_path, there).state == "running"
    dated(tmp_path, 3 * LIMIT)
    assert stands(tmp_path).state == "lost"
    lease = tmp_path / RUN / "records" / ".all-00000.parquet.lease"
    lease.parent.mkdir(parents=True)
    lease.touch()
    assert stands(tmp_path).state == "running"


def test_a_sign_from_the_future_is_none(tmp_path: Path) -> None:
    """The clock was set back after it: a process that lives would have given another one."""
    write_job(tmp_path, job(owner=ELSEWHERE))
    dated(tmp_path, -3600)
    assert stands(tmp_path).state == "lost"


@pytest.mark.parametrize("clock", [-3600, 0, 3600])
@pytest.mark.parametrize("ago", [-7200, -3600, 0, 10, 3600, 7200])
def test_rates_are_sane_whatever_clocks_say(
    tmp_path: Path, clock: float, ago: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty of 60 in 100 s, of a living process of this machine."""
    records(tmp_path, 40)
    monkeypatch.setattr(standing, "now_in", lambda folder: time.time() + clock)
    write_job(tmp_path, job(seconds=100, n_before=20, started=time.time() + ago))
    dated(tmp_path, ago)
    found = stands(tmp_path)
    assert found.state == "running"
    assert found.rate is not None
    assert found.seconds_left is not None
    assert 20 / (100 + 2 * BEAT) <= found.rate <= 20 / 100
    assert 100 <= found.seconds_left <= 100 + 2 * BEAT


def test_what_has_just_begun_has_no_rate_yet(tmp_path: Path) -> None:
    records(tmp_path, 40)
    assert stands(tmp_path, job(seconds=0.01, n_before=20)).rate is None
    assert stands(tmp_path, job(seconds=10, n_before=40)).rate is None
    found = stands(tmp_path, job(seconds=10, n_before=0, n_items=30))  # by one with a larger limit
    assert found.seconds_left == 0


def test_where_nothing_can_be_written_the_own_clock_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> float:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(standing, "now_in", refuse)
    assert stands(tmp_path, job(owner=ELSEWHERE)).state == "running"


def test_a_job_that_was_stopped_says_by_what(tmp_path: Path) -> None:
    records(tmp_path, 40)
    found = stands(tmp_path, job("stopped", message="SIGUSR1"))
    assert (found.state, found.message, found.n_done) == ("stopped", "SIGUSR1", 40)
    sweep = sweep_of([], [JOB])
    assert text_of(sweep, [found]).splitlines()[1:] == [
        "stopped:",
        f"  toy × imagenet: 40 of 60 are kept: {this_process()} was stopped by SIGUSR1",
    ]
    finish(tmp_path)
    assert stands(tmp_path).state == "done"


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
