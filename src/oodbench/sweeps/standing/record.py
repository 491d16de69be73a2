"""Writes a job's file: as it begins to compute, now and then while it does, and as it ends."""

import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oodbench.core.lease import BEAT, this_process
from oodbench.runs.plan import Plan
from oodbench.runs.records import items_recorded
from oodbench.sweeps.outcomes import Outcome
from oodbench.sweeps.standing.job_file import (
    RUNNING,
    STOPPED,
    JobFile,
    job_file,
    read_job,
    write_job,
)


class JobRecord:
    """What one job says of itself.

    From `begin` to `rest` a thread writes the file again every `BEAT` seconds: a sign of life.

    Args:
        output_root: where its outputs are.
        overrides: of the job.
    """

    def __init__(self, output_root: Path, overrides: Sequence[str]) -> None:
        self._output_root = output_root
        self._folder = output_root.absolute()  # wherever the process goes while it computes
        self._overrides = list(overrides)
        self._started = time.time()
        self._clock = time.monotonic()
        self._n_before = 0
        self._lock = threading.Lock()
        self._resting = threading.Event()
        self._ended = False

    def begin(self, plan: Plan) -> None:
        """It begins to compute."""
        self._clock = time.monotonic()
        self._n_before = items_recorded(plan.paths.records)
        job = self._job(plan.cell, RUNNING, plan)
        self._write(job)
        threading.Thread(target=self._beat, args=(job,), name="job file", daemon=True).start()

    def rest(self) -> None:
        """It computes no longer, whatever has ended that."""
        self._resting.set()

    def end(self, outcome: Outcome, plan: Plan | None) -> None:
        """It has ended.

        Args:
            outcome: how.
            plan: None where there was none.
        """
        job = self._job(outcome.cell, outcome.state, plan)
        if outcome.state == "failed":
            job = replace(job, message=outcome.message)
        self._write(replace(job, cause=outcome.cause, log=outcome.log))

    def stop(self, interrupt: BaseException) -> None:
        """Something ends the process.

        Said only of a job that this process has begun, and where no other one goes on with it.

        Args:
            interrupt: what was raised.
        """
        job = read_job(job_file(self._folder, self._overrides))
        if job is not None and job.state == RUNNING and job.owner == this_process():
            self._write(replace(job, state=STOPPED, message=_reason(interrupt)))

    def _beat(self, job: JobFile) -> None:
        while not self._resting.wait(BEAT):
            self._write(job)

    def _write(self, job: JobFile) -> None:
        """Write the file; once it says how the job has ended, it stays like that."""
        with self._lock:
            if not self._ended:
                seconds = time.monotonic() - self._clock
                write_job(self._folder, replace(job, changed=time.time(), seconds=seconds))
            if job.state != RUNNING:
                self._ended = True
                self._resting.set()

    def _job(self, cell: str, state: str, plan: Plan | None) -> JobFile:
        return JobFile(
            cell=cell,
            state=state,
            started=self._started,
            changed=self._started,
            owner=this_process(),
            directory="" if plan is None else str(_below(plan, self._output_root)),
            n_items=0 if plan is None else sum(plan.counts.values()),
            n_before=self._n_before,
            overrides=self._overrides,
        )


def _below(plan: Plan, output_root: Path) -> Path:
    return plan.paths.directory.relative_to(output_root)


def _reason(interrupt: BaseException) -> str:
    number = getattr(interrupt, "number", None)
    if number is not None:
        return signal.Signals(number).name
    return "Ctrl-C" if isinstance(interrupt, KeyboardInterrupt) else "its launcher"
