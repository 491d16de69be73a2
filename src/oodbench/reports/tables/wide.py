"""The wide table: models by benchmarks, in the order of the published one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from oodbench.core.errors import ConfigError
from oodbench.metrics.score import Score
from oodbench.reports.derived import Derived
from oodbench.reports.tables.asked import Asked, listed
from oodbench.reports.tables.captions import DEMO_WARNING, PERCENT
from oodbench.reports.tables.cells import ABSENT, FAILED, cell_text
from oodbench.reports.tables.columns import Column, table_columns
from oodbench.reports.tables.placing import Place, label_headings, place_of, placed
from oodbench.reports.tables.rows import chosen_of
from oodbench.reports.tables.view import Cell, View, ViewColumn, ViewRow
from oodbench.runs.results import RunFailure, RunResult

__all__ = ["DEMO_WARNING", "WideTable", "wide_table", "wide_view"]

NO_NAMES: Mapping[Path, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True)
class WideTable:
    """The table and what must be read with it.

    Attributes:
        frame: text, the column "Model" and one per benchmark.
        shown: the scores in its cells, by the run's folder and the metric.
        warning: shown above the table; empty unless a cell rests on demo data.
        caption: shown below it.
    """

    frame: pd.DataFrame
    shown: frozenset[tuple[Path, str]]
    warning: str
    caption: str


def wide_table(
    results: Sequence[RunResult], failures: Sequence[RunFailure], derived: Derived
) -> WideTable:
    """The whole of `wide_view` as text."""
    view = wide_view(results, failures, derived)
    frame = pd.DataFrame(view.texts(), columns=view.headings, dtype=str)
    cells = chain.from_iterable(row.cells for row in view.rows)
    shown = frozenset((cell.run.directory, cell.metric) for cell in cells if cell.run is not None)
    return WideTable(frame, shown, view.warning, view.caption)


def wide_view(
    results: Sequence[RunResult],
    failures: Sequence[RunFailure],
    derived: Derived,
    asked: Asked | None = None,
    other_names: Mapping[Path, Sequence[str]] = NO_NAMES,
) -> View:
    """One row per model with the runs that did what ships under its names, then all others.

    A run with a difference has a row `model (difference)` below; `oodbench.reports.tables.rows`
    says which of several runs a cell shows. A failure shows in a row that has a result; the others
    are counted below the table.

    Args:
        results, failures: of all runs.
        derived: scores that need a second run.
        asked: patterns, metric and what rows go by; the rest is for others. None: the whole table.
        other_names: see `placed`.

    Raises:
        ConfigError: no run is asked for, or none has the metric.
    """
    asked = asked or Asked()
    found = chosen_of(placed(results, asked.by, other_names))
    chosen = {at: run for at, run in found.items() if asked.has(run.model, run.benchmark)}
    failures = [one for one in failures if asked.has(one.model, one.benchmark)]
    _refuse_nothing(asked, results, chosen.values())
    failed = {(place_of(failure, asked.by), failure.benchmark) for failure in failures}
    failed -= chosen.keys()
    columns = []
    for column in _columns(results, failures, chosen.values(), derived, asked):
        metric = _one_metric(column, chosen.values(), derived)
        columns.append(ViewColumn(_heading(column, metric), column, metric))
    places = sorted({place for place, _ in chosen}, key=Place.rank)
    rows = [
        ViewRow(
            place.labels(asked.by),
            [_cell(column, place, chosen, failed, derived) for column in columns],
        )
        for place in places
    ]
    known = set(places)
    n_found = sum(asked.has(run.model, run.benchmark) for run in results)
    return View(
        label_headings(asked.by),
        columns,
        rows,
        said=[PERCENT, *([] if asked.metric is None else [f"The score is {asked.metric}."])],
        left_out=n_found - len({run.directory for run in chosen.values()}),
        n_failed=sum(place not in known for place, _ in failed),
    )


def _columns(
    results: Sequence[RunResult],
    failures: Sequence[RunFailure],
    chosen: Iterable[RunResult],
    derived: Derived,
    asked: Asked,
) -> list[Column]:
    """Those of the table, of a choice only those that have runs; of a metric, with it alone."""
    every = table_columns(results, failures)
    if asked.metric is not None:
        return _with_metric(asked.metric, every, list(chosen), derived)
    if (asked.models, asked.benchmarks) == ("*", "*"):
        return list(every)
    measured = {run.benchmark for run in chosen}
    return [column for column in every if column.benchmark in measured]


def _with_metric(
    metric: str, columns: Iterable[Column], chosen: Sequence[RunResult], derived: Derived
) -> list[Column]:
    """The columns that have the score, showing nothing else.

    Raises:
        ConfigError: none has it.
    """
    having = [(run.benchmark, _scores(run, derived).get(metric)) for run in chosen]
    lower = {name: score.higher_is_better is False for name, score in having if score is not None}
    if not lower:
        names = listed(name for run in chosen for name in _scores(run, derived))
        raise ConfigError(f"--metric {metric}: no run has it; there are: {names}")
    return [
        replace(
            column,
            metrics={metric: metric},
            captions={metric: ""},
            lower_is_better=lower[column.benchmark],
        )
        for column in columns
        if column.benchmark in lower
    ]


def _refuse_nothing(
    asked: Asked, results: Sequence[RunResult], chosen: Iterable[RunResult]
) -> None:
    if results and not list(chosen):
        models, benchmarks = (
            listed(getattr(run, name) for run in results) for name in ("model", "benchmark")
        )
        raise ConfigError(
            f"--models {asked.models} --benchmarks {asked.benchmarks}: no finished run is of these;"
            f" models: {models}; benchmarks: {benchmarks}"
        )


def _one_metric(column: Column, results: Iterable[RunResult], derived: Derived) -> str | None:
    """The metric that all cells of a column show, None where they show several."""
    shown = {
        _shown(column, result, derived)
        for result in results
        if result.benchmark == column.benchmark
    } or {_usual(column)}
    return shown.pop() if len(shown) == 1 else None


def _heading(column: Column, metric: str | None) -> str:
    """Names the metric where the column may show several and all its cells show the same."""
    if len(column.metrics) == 1 or metric is None:
        return column.title
    return f"{column.title} ({column.metrics[metric]})"


def _usual(column: Column) -> str:
    return list(column.metrics)[-1]


def _scores(result: RunResult, derived: Derived) -> dict[str, Score]:
    return {**result.scores.get("", {}), **derived.get(result.directory, {})}


def _shown(column: Column, result: RunResult, derived: Derived) -> str:
    scores = _scores(result, derived)
    known = [m for m in column.metrics if m in scores and not math.isnan(scores[m].value)]
    return known[0] if known else _usual(column)


def _cell(
    shown: ViewColumn,
    place: Place,
    chosen: Mapping[tuple[Place, str], RunResult],
    failed: set[tuple[Place, str]],
    derived: Derived,
) -> Cell:
    column = shown.column
    at = (place, column.benchmark)
    if at not in chosen:
        return Cell(FAILED if at in failed else ABSENT)
    run = chosen[at]
    metric = _shown(column, run, derived)
    score = _scores(run, derived).get(metric)
    text = cell_text(run, metric, score)
    if shown.metric is None and len(column.metrics) > 1 and not text.startswith(ABSENT):
        text = f"{column.metrics[metric]} {text}"
    return Cell(text, run, metric, score)
