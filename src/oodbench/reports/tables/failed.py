"""The cells whose last attempt failed, and why."""

from collections.abc import Sequence

from oodbench.core.columns import aligned
from oodbench.reports.tables.rows import row_of
from oodbench.runs.results import RunFailure


def failed_text(failures: Sequence[RunFailure]) -> str:
    """One line for each: model, benchmark, what was done otherwise, and the error."""
    if not failures:
        return "failed: none"
    lines = [
        (f"{run.model} × {run.benchmark}", row_of(run).difference, run.error)
        for run in sorted(failures, key=lambda run: (run.model, run.benchmark, run.key))
    ]
    return "\n".join([f"failed: {len(failures)}", *aligned(lines)])
