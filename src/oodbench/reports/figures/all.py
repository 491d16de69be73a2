"""All figures that a set of finished runs allows."""

from collections.abc import Sequence

from oodbench.reports.figures.effective_robustness import effective_robustness
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.marks import shown_runs
from oodbench.runs.results import RunResult


def all_figures(results: Sequence[RunResult]) -> list[Figure]:
    """The figures in the order of the report; those that the runs say nothing about are not there.

    Args:
        results: finished runs. Only their results and summaries are read, never their records.
    """
    shown = shown_runs(results)
    return [*effective_robustness(shown)]
