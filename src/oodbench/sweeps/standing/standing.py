"""Where each job of a sweep stands, by its own file, its run's folder and its process."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from oodbench.core.lease import BEAT, LIMIT, SUFFIX, now_in
from oodbench.runs.paths import RunPaths, sweeps_directory
from oodbench.runs.records import items_recorded
from oodbench.runs.results import is_written
from oodbench.sweeps.standing.definition import Sweep
from oodbench.sweeps.standing.job_file import RUNNING, STOPPED, JobFile, job_file, read_job

DONE, WAITING, FAILED, LOST, MISSING = "done", "waiting", "failed", "lost", "missing"

STATES = (DONE, RUNNING, WAITING, FAILED, STOPPED, LOST, MISSING)
"""`waiting`: a shard that is done, of a run of which others are not. `stopped`: by Ctrl-C, or by a
batch system, which may have queued it again. `lost`: killed, or its machine was. `missing`: not
begun, or its result was removed."""

UNFINISHED = (FAILED, STOPPED, LOST, MISSING)
"""States of jobs that nobody works on."""

_FINISHED = ("done", "skipped", "waiting")

_NO_SIGN = 2 * LIMIT
"""Seconds without a sign of life after which a process on another machine counts as lost. So far
ahead a sign is none either: clocks were set back since, and a living process gives a new one."""

_LONGEST = 2 * BEAT
"""Seconds that may have passed since a process that runs has last said how long it has."""


@dataclass(frozen=True)
class Standing:
    """One job.

    Attributes:
        overrides: of the job.
        cell: model × benchmark; the overrides where it is not known.
        state: one of `STATES`.
        message: why it failed, or what stopped it.
        cause: see `oodbench.core.errors.cause_of`; "" where it did not fail.
        n_items, n_done: pictures or clips of its run, and how many have records; 0 where that was
            not looked at.
        rate: items a second of all processes that work on the run; None where not known yet.
        seconds_left: at this rate.
        where: the process that works on it.
        log: path of a log file with more than the message says.
    """

    overrides: list[str]
    cell: str
    state: str
    message: str = ""
    cause: str = ""
    n_items: int = 0
    n_done: int = 0
    rate: float | None = None
    seconds_left: float | None = None
    where: str = ""
    log: str = ""


def standings(output_root: Path, sweep: Sweep) -> list[Standing]:
    """All jobs of a sweep, in their order.

    Args:
        output_root: where its outputs are.
        sweep: says which jobs there are.
    """
    now = _now(sweeps_directory(output_root))
    return [_standing(output_root, job, now) for job in sweep.jobs]


def _now(folder: Path) -> float:
    """By the clock that dates the files; the own one where nothing can be written."""
    with suppress(OSError):
        return now_in(folder)
    return time.time()


def _standing(output_root: Path, overrides: Sequence[str], now: float) -> Standing:
    path = job_file(output_root, overrides)
    job = read_job(path)
    if job is None:
        return Standing(list(overrides), " ".join(overrides), MISSING)
    run = RunPaths(output_root / job.directory) if job.directory else None
    found = Standing(list(overrides), job.cell, _state(job, run, path, now))
    if found.state in (FAILED, STOPPED):
        found = replace(found, message=job.message, cause=job.cause, log=job.log)
    if run is None or found.state in (DONE, FAILED, MISSING):
        return found
    n_done = items_recorded(run.records)
    known = replace(found, n_items=job.n_items, n_done=n_done, where=str(job.owner))
    if found.state != RUNNING:
        return known
    rate = _rate(n_done - job.n_before, job.seconds, now - _changed(path, now))
    left = None if rate is None else max(job.n_items - n_done, 0) / rate
    return replace(known, rate=rate, seconds_left=left)


def _rate(n_items: int, seconds: float, since: float) -> float | None:
    """Items a second, None where that is not known yet.

    Args:
        n_items: that were computed.
        seconds: how long the process had computed when it last said so, by a clock that nobody
            sets.
        since: seconds since then, by clocks that may have been set.
    """
    whole = seconds + min(max(since, 0.0), _LONGEST)
    return n_items / whole if n_items > 0 and whole >= 1 else None


def _state(job: JobFile, run: RunPaths | None, path: Path, now: float) -> str:
    if run is not None and job.state != FAILED and is_written(run.result):
        return DONE
    if job.state == RUNNING:
        return RUNNING if _is_alive(job, run, path, now) else LOST
    if job.state in (WAITING, STOPPED):
        return job.state
    return MISSING if job.state in _FINISHED else FAILED


def _is_alive(job: JobFile, run: RunPaths | None, path: Path, now: float) -> bool:
    """Whether the process is known to run, or was heard of lately where that is not known."""
    if job.owner.is_dead:
        return False
    if job.owner.is_here:
        return True
    signs = [path] if run is None else [path, *run.records.glob(f"*{SUFFIX}")]
    return any(abs(now - _changed(sign, now - _NO_SIGN)) < _NO_SIGN for sign in signs)


def _changed(path: Path, otherwise: float) -> float:
    """When a file was last changed, seconds since 1970; something else where it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return otherwise
