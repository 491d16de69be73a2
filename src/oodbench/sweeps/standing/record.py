"""Writes a job's file: as it begins to compute, and as it ends."""

import time
from collections.abc import Sequence
from pathlib import Path

from oodbench.core.lease import this_process
from oodbench.runs.plan import Plan
from oodbench.runs.records import items_recorded
from oodbench.sweeps.outcomes import Outcome
from oodbench.sweeps.standing.job_file import RUNNING, JobFile, write_job


class JobRecord:
    """What one job says of itself.

    Args:
        output_root: where its outputs are.
        overrides: of the job.
    """

    def __init__(self, output_root: Path, overrides: Sequence[str]) -> None:
        self._output_root = output_root
        self._overrides = list(overrides)
        self._started = time.time()
        self._plan: Plan | None = None
        self._n_before = 0

    def begin(self, plan: Plan) -> None:
        """It begins to compute."""
        self._plan = plan
        self._n_before = items_recorded(plan.paths.records)
        self._write(plan.cell, RUNNING)

    def end(self, outcome: Outcome, plan: Plan | None) -> None:
        """It has ended.

        Args:
            outcome: how.
            plan: None where there was none.
        """
        self._plan = plan
        failed = outcome.state == "failed"
        self._write(
            outcome.cell,
            outcome.state,
            message=outcome.message if failed else "",
            cause=outcome.cause,
            log=outcome.log,
        )

    def _write(self, cell: str, state: str, **said: str) -> None:
        plan = self._plan
        job = JobFile(
            cell=cell,
            state=state,
            started=self._started,
            changed=time.time(),
            owner=this_process(),
            directory="" if plan is None else str(_below(plan, self._output_root)),
            n_items=0 if plan is None else sum(plan.counts.values()),
            n_before=self._n_before,
            overrides=self._overrides,
            **said,
        )
        write_job(self._output_root, job)


def _below(plan: Plan, output_root: Path) -> Path:
    return plan.paths.directory.relative_to(output_root)
