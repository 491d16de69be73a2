"""All figures that a set of finished runs allows."""

from collections.abc import Sequence

from oodbench.reports.figures.figure import Figure
from oodbench.runs.results import RunResult


def all_figures(results: Sequence[RunResult]) -> list[Figure]:
    """The figures in the order of the report; those that the runs say nothing about are not there.

    Args:
        results: finished runs. Only their results and summaries are read, never their records.
    """
    return []
