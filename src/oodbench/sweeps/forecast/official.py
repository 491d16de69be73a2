"""Data sets as their sources say that they are, for a forecast where only a part is on disk."""

from dataclasses import replace

from oodbench.benchmarks.base import Split
from oodbench.runs.plan import Data


def as_official(data: Data) -> Data:
    """The data, each part of which has its official count of items, whatever there is of it."""
    return replace(data, splits=[_as_official(split) for split in data.splits])


def not_counted(data: Data, name: str) -> list[str]:
    """One line for what the official counts of a benchmark say nothing of.

    Args:
        data: of the benchmark.
        name: of the benchmark.
    """
    problems = []
    if data.missing:
        problems.append(
            f"{name}: {len(data.missing)} parts are not there, such as {data.missing[0]}: not "
            "counted"
        )
    if not all(split.is_count_known for split in data.splits):
        problems.append(f"{name}: no source says how many pictures there are: those found count")
    return problems


def _as_official(split: Split) -> Split:
    return replace(split, n_items=split.n_expected) if split.is_count_known else split
