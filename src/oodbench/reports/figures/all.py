"""All figures that a set of finished runs allows."""

from collections.abc import Sequence

from oodbench.reports.figures.attacks import attacks
from oodbench.reports.figures.classes import classes
from oodbench.reports.figures.confidence import confidence
from oodbench.reports.figures.cost import cost
from oodbench.reports.figures.each_benchmark import Kind, each_benchmark
from oodbench.reports.figures.effective_robustness import effective_robustness
from oodbench.reports.figures.error_consistency import error_consistency
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.parts import parts
from oodbench.reports.figures.severities import severities
from oodbench.reports.figures.shape_bias import shape_bias
from oodbench.reports.figures.spread import spread
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.store import summaries

_OF_SUMMARIES: tuple[Kind, ...] = (shape_bias, error_consistency, confidence, classes, attacks)


def all_figures(results: Sequence[RunResult], problems: list[str] | None = None) -> list[Figure]:
    """The figures in the order of the report; those that the runs say nothing about are not there.

    Results and summaries are read, no records, unless a run has no summary yet: see
    `oodbench.runs.summaries.store.summaries`.

    Args:
        results: finished runs.
        problems: gets a line for every run whose summary cannot be made, and that figures of
            summaries leave out; None: such a run is an error.

    Raises:
        DataError: records that a summary is to be made of are damaged or missing.
    """
    shown = shown_runs(results)
    made = summaries([run for runs in shown.values() for run in runs.values()], problems)
    return [
        *effective_robustness(shown),
        *parts(shown),
        *severities(shown),
        *(figure for kind in _OF_SUMMARIES for figure in each_benchmark(kind, shown, made)),
        *spread(results),
        *cost(shown),
    ]
