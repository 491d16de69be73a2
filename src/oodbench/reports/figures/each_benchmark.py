"""Figures of one kind for each benchmark, from its runs and what their summaries say."""

from collections.abc import Callable, Mapping
from pathlib import Path

from oodbench.reports.figures.figure import Figure
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

Kind = Callable[[Mapping[str, RunResult], Mapping[str, Summary]], list[Figure]]
"""Runs of a benchmark by name, and the summaries of those that have one -> figures."""


def each_benchmark(
    kind: Kind,
    shown: Mapping[str, Mapping[str, RunResult]],
    summaries: Mapping[Path, Summary],
) -> list[Figure]:
    """The figures of a kind for all benchmarks.

    Args:
        kind: makes those of one benchmark.
        shown: runs by benchmark and name.
        summaries: by the runs' folders.
    """
    found = []
    for runs in shown.values():
        own = {
            name: summaries[run.directory]
            for name, run in runs.items()
            if run.directory in summaries
        }
        found += kind(runs, own)
    return found
