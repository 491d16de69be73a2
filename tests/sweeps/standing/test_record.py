"""What a job says of itself while it computes, and at its end."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from oodbench.core.interrupts import Stopped
from oodbench.core.lease import Owner
from oodbench.runs.paths import RunPaths
from oodbench.runs.plan import Plan
from oodbench.sweeps.outcomes import Outcome
from oodbench.sweeps.standing import record as record_module
from oodbench.sweeps.standing.job_file import JobFile, job_file, read_job, write_job
from oodbench.sweeps.standing.record import JobRecord

JOB = ["model=toy"]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    paths = RunPaths(tmp_path / "runs" / "imagenet" / "toy" / "0123456789ab")
    return cast(Plan, SimpleNamespace(paths=paths, cell="toy × imagenet", counts={"": 60}))


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobRecord]:
    monkeypatch.setattr(record_module, "BEAT", 0.01)
    found = JobRecord(tmp_path, JOB)
    yield found
    found.end(Outcome("done", "toy × imagenet"), None)


def said(root: Path) -> JobFile:
    job = read_job(job_file(root, JOB))
    assert job is not None
    return job


def wait_for_another(root: Path) -> JobFile:
    before, deadline = said(root).seconds, time.monotonic() + 10
    while said(root).seconds <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    return said(root)


def test_it_gives_signs_of_life_until_it_ends(
    tmp_path: Path, record: JobRecord, plan: Plan
) -> None:
    record.begin(plan)
    first = said(tmp_path)
    later = wait_for_another(tmp_path)
    assert (later.state, later.n_items) == ("running", 60)
    assert later.seconds > first.seconds
    record.end(Outcome("failed", "toy × imagenet", "no disk", cause="disk"), plan)
    time.sleep(0.05)
    ended = said(tmp_path)
    assert (ended.state, ended.message, ended.cause) == ("failed", "no disk", "disk")


def test_nothing_is_written_once_it_rests(tmp_path: Path, record: JobRecord, plan: Plan) -> None:
    record.begin(plan)
    wait_for_another(tmp_path)
    record.rest()
    time.sleep(0.05)
    before = said(tmp_path)
    time.sleep(0.1)
    assert said(tmp_path) == before
    record.end(Outcome("done", "toy × imagenet"), plan)
    assert said(tmp_path).state == "done"


def test_its_file_stays_where_it_was_begun(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    record = JobRecord(Path(), JOB)
    relative = SimpleNamespace(**vars(plan) | {"paths": RunPaths(Path("runs", "key"))})
    record.begin(cast(Plan, relative))
    monkeypatch.chdir(tmp_path / "elsewhere")
    record.end(Outcome("done", "toy × imagenet"), cast(Plan, relative))
    assert said(tmp_path).state == "done"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_time_goes_by_a_clock_that_nobody_sets(
    tmp_path: Path, record: JobRecord, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.begin(plan)
    clock = SimpleNamespace(time=lambda: time.time() + 3600, monotonic=time.monotonic)
    monkeypatch.setattr(record_module, "time", clock)
    assert 0 < wait_for_another(tmp_path).seconds < 60


@pytest.mark.parametrize(
    ("interrupt", "reason"),
    [(KeyboardInterrupt(), "Ctrl-C"), (Stopped(15), "SIGTERM"), (SystemExit(1), "its launcher")],
)
def test_what_stops_it_is_said(
    tmp_path: Path, record: JobRecord, plan: Plan, interrupt: BaseException, reason: str
) -> None:
    record.begin(plan)
    record.stop(interrupt)
    assert (said(tmp_path).state, said(tmp_path).message) == ("stopped", reason)


def test_but_not_of_a_job_that_another_process_goes_on_with(
    tmp_path: Path, record: JobRecord, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "BEAT", 60)
    record.begin(plan)
    other = Owner("node07", 12, "another machine", "3")
    write_job(tmp_path, JobFile("toy", "running", 0, 0, other, overrides=JOB))
    record.stop(KeyboardInterrupt())
    assert said(tmp_path).owner == other


def test_nor_of_one_that_has_not_begun(tmp_path: Path, record: JobRecord) -> None:
    record.stop(KeyboardInterrupt())
    assert not job_file(tmp_path, JOB).exists()
