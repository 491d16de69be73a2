"""Where each job of a sweep stands, by its own file, its run's folder and its process."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oodbench.core.lease import LIMIT, SUFFIX
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import items_recorded
from oodbench.sweeps.standing.definition import Sweep
from oodbench.sweeps.standing.job_file import RUNNING, JobFile, job_file, read_job

DONE, WAITING, FAILED, LOST, MISSING = "done", "waiting", "failed", "lost", "missing"

STATES = (DONE, RUNNING, WAITING, FAILED, LOST, MISSING)
"""`waiting`: a shard that is done, of a run of which others are not. `lost`: killed, or its machine
was. `missing`: not begun, or its result was removed."""

UNFINISHED = (FAILED, LOST, MISSING)
"""States of jobs that nobody works on."""

_FINISHED = ("done", "skipped", "waiting")

_NO_SIGN = 2 * LIMIT
"""Seconds without a sign of life after which a process on another machine counts as lost."""


@dataclass(frozen=True)
class Standing:
    """One job.

    Attributes:
        overrides: of the job.
        cell: model × benchmark; the overrides where it is not known.
        state: one of `STATES`.
        message: why it failed.
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
    return [_standing(output_root, job) for job in sweep.jobs]


def _standing(output_root: Path, overrides: Sequence[str]) -> Standing:
    job = read_job(job_file(output_root, overrides))
    if job is None:
        return Standing(list(overrides), " ".join(overrides), MISSING)
    run = RunPaths(output_root / job.directory) if job.directory else None
    found = Standing(list(overrides), job.cell, _state(job, run))
    if found.state == FAILED:
        return replace(found, message=job.message, cause=job.cause, log=job.log)
    if run is None or found.state in (DONE, MISSING):
        return found
    n_done = items_recorded(run.records)
    known = replace(found, n_items=job.n_items, n_done=n_done, where=str(job.owner))
    if found.state != RUNNING:
        return known
    rate = (n_done - job.n_before) / max(time.time() - job.started, 1e-3)
    left = (job.n_items - n_done) / rate if rate > 0 else None
    return replace(known, rate=rate or None, seconds_left=left)


def _state(job: JobFile, run: RunPaths | None) -> str:
    if run is not None and job.state != FAILED and run.result.is_file():
        return DONE
    if job.state == RUNNING:
        return RUNNING if _is_alive(job, run) else LOST
    if job.state == WAITING:
        return WAITING
    return MISSING if job.state in _FINISHED else FAILED


def _is_alive(job: JobFile, run: RunPaths | None) -> bool:
    """Whether the process is known to run, or was heard of lately where that is not known."""
    if job.owner.is_dead:
        return False
    if job.owner.is_here:
        return True
    signs = [job.changed] if run is None else [job.changed, *_beats(run.records)]
    return time.time() - max(signs) < _NO_SIGN


def _beats(records: Path) -> Iterator[float]:
    """When leases of a run were renewed, seconds since 1970."""
    for path in records.glob(f"*{SUFFIX}"):
        try:
            yield path.stat().st_mtime
        except FileNotFoundError:
            continue
