"""What a job says of itself while it runs and at its end; one small file for each job.

It is named by the job's overrides: a job that is launched again, by the same sweep or another one,
writes the same file.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oodbench.core.files import read_json, write_json
from oodbench.core.lease import Owner
from oodbench.runs.paths import sweeps_directory

RUNNING = "running"
"""The state of a job that has not said how it ended; the others are those of its outcome."""

STOPPED = "stopped"
"""The state of one that Ctrl-C or a batch system has ended."""

_DIGITS = 24


@dataclass(frozen=True)
class JobFile:
    """One job.

    Attributes:
        cell: model × benchmark, for people.
        state: running, stopped, done, skipped, waiting (for other shards) or failed.
        message: why it failed, or what stopped it.
        cause: of the failure, see `oodbench.core.errors.cause_of`.
        directory: of its run, below the output root; "" where it was not known yet.
        n_items: pictures or clips of its run; of a shard, those of all shards.
        n_before: how many of them were there when it began.
        started, changed: seconds since 1970, by the clock of its machine.
        seconds: for which it has computed, on a clock that nobody sets.
        owner: the process.
        log: path of a log file with more than the message says.
    """

    cell: str
    state: str
    started: float
    changed: float
    owner: Owner
    message: str = ""
    cause: str = ""
    directory: str = ""
    n_items: int = 0
    n_before: int = 0
    seconds: float = 0.0
    log: str = ""
    overrides: list[str] = field(default_factory=list)


def job_file(output_root: Path, overrides: Sequence[str]) -> Path:
    """Where a job with these overrides writes."""
    text = json.dumps(list(overrides)).encode("utf-8", "surrogateescape")
    name = hashlib.sha256(text).hexdigest()[:_DIGITS]
    return sweeps_directory(output_root) / "jobs" / f"{name}.json"


def write_job(output_root: Path, job: JobFile) -> None:
    """Write a job's file. It is an account, no part of a result: an error stops nothing."""
    with suppress(OSError):
        write_json(job_file(output_root, job.overrides), asdict(job))


def read_job(path: Path) -> JobFile | None:
    """A job's file; None where there is none, or it is damaged."""
    content = read_json(path)
    try:
        return JobFile(**{**content, "owner": Owner(**content["owner"])})
    except (TypeError, KeyError):
        return None
