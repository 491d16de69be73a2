"""Runs of a sweep over two settings, as a grid: rows one setting's values, columns the other's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from oodbench.reports.comparisons.spread import Spread
from oodbench.reports.comparisons.words import is_of
from oodbench.reports.tables.rows import pipeline_of
from oodbench.runs.results import RunResult

_FEWEST = 4
"""Runs of a grid: with three of them a list says as much."""


@dataclass(frozen=True)
class Grid:
    """The runs of a spread that differ in two settings alone.

    Attributes:
        down, across: the settings, such as `resize` and `interpolation`.
        values_down, values_across: of them, numbers by size, then text.
        runs: by both values; there need not be one for each pair.
    """

    down: str
    across: str
    values_down: Sequence[str]
    values_across: Sequence[str]
    runs: Mapping[tuple[str, str], RunResult]


def grid_of(one: Spread) -> Grid | None:
    """The largest grid among the runs of a spread; None where no two settings were swept."""
    settings = [(run, _settings(run, one.field)) for run in one.runs]
    names = dict.fromkeys(name for _, known in settings for name in known)
    found = [
        grid
        for pair in combinations(names, 2)
        for alike in _alike(settings, pair)
        if (grid := _grid(alike, *pair)) is not None
    ]
    return max(found, key=lambda grid: len(grid.runs), default=None)


Settings = Mapping[str, str]
RunSettings = tuple[RunResult, Settings]


def _settings(run: RunResult, field: str) -> Settings:
    """What the run has in a field, by the name of the setting."""
    if field == "preprocessing":
        return pipeline_of(run)
    words = [word.partition("=") for word in run.difference if is_of(word, field)]
    return {name.removeprefix(f"{field}."): value for name, _, value in words}


def _alike(
    settings: Sequence[RunSettings], pair: tuple[str, str]
) -> Iterable[Sequence[RunSettings]]:
    """The runs, by all that they have in other settings."""
    groups: dict[frozenset[tuple[str, str]], list[RunSettings]] = {}
    for run, known in settings:
        rest = frozenset(item for item in known.items() if item[0] not in pair)
        groups.setdefault(rest, []).append((run, known))
    return groups.values()


def _grid(settings: Sequence[RunSettings], down: str, across: str) -> Grid | None:
    runs = {(known.get(down, ""), known.get(across, "")): run for run, known in settings}
    values_down, values_across = (_in_order(pair[place] for pair in runs) for place in (0, 1))
    if min(len(values_down), len(values_across)) < 2 or len(runs) < _FEWEST:
        return None
    return Grid(down, across, values_down, values_across, runs)


def _in_order(values: Iterable[str]) -> list[str]:
    """Each once: numbers by size, then text."""
    return sorted(set(values), key=_rank)


def _rank(value: str) -> tuple[bool, float, str]:
    try:
        return (False, float(value), value)
    except ValueError:
        return (True, 0.0, value)
