"""The wide table: models by benchmarks, in the order of the published one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from oodbench.metrics.score import Score
from oodbench.reference import published_models
from oodbench.reports.derived import Derived
from oodbench.reports.tables.cells import ABSENT, FAILED, cell_text
from oodbench.reports.tables.columns import MODEL, Column, caption_sentences, table_columns
from oodbench.runs.difference import difference_text
from oodbench.runs.results import RunFailure, RunResult

DEMO_WARNING = "DEMO DATA: these numbers are not comparable with published ones."

_MARKS = {
    "(pub. ": "pub.: the published value and our difference from it.",
    "(testbed ": "testbed: the value of imagenet-testbed, where none was published.",
    "other protocol": "other protocol: made with re-cropped files, hence no difference.",
    " partial ": "partial: pictures scored / official count.",
    " skipped ": "skipped: pictures that could not be read and were left out.",
    " ext.": "ext.: an extension, the published run did not support this model here.",
    FAILED: "failed: the last attempt ended with an error, see its error.json.",
    ABSENT: f"{ABSENT}: no value.",
}

_Row = tuple[str, str]
"""Model and difference."""


@dataclass(frozen=True)
class WideTable:
    """The table and what must be read with it.

    Attributes:
        frame: text, the column "Model" and one per benchmark.
        warning: shown above the table; empty unless a cell rests on demo data.
        caption: shown below it.
    """

    frame: pd.DataFrame
    warning: str
    caption: str


def wide_table(
    results: Sequence[RunResult], failures: Sequence[RunFailure], derived: Derived
) -> WideTable:
    """One row per model with the runs that did what the published run did, then all others.

    Of several runs for a cell a complete one goes before a partial one and both before one on demo
    data, then the newest. A run with a difference has a row `model (difference)` below.
    """
    chosen = _chosen(results)
    failed = {(_row(failure), failure.benchmark) for failure in failures}
    rows = sorted({row for row, _ in (*chosen, *failed)}, key=_rank)
    columns = [
        (column, _one_metric(column, chosen.values(), derived))
        for column in table_columns(results, failures)
    ]
    table = []
    for row in rows:
        cells = {MODEL: f"{row[0]} ({row[1]})" if row[1] else row[0]}
        for column, metric in columns:
            place = (row, column.benchmark)
            cells[_heading(column, metric)] = (
                _cell(column, chosen[place], derived, named=metric is None)
                if place in chosen
                else (FAILED if place in failed else ABSENT)
            )
        table.append(cells)
    headings = [_heading(column, metric) for column, metric in columns]
    frame = pd.DataFrame(table, columns=[MODEL, *headings], dtype=str)
    demo = any(result.demo for result in chosen.values())
    caption = _caption(frame, caption_sentences(columns), len(results) - len(chosen))
    return WideTable(frame, DEMO_WARNING if demo else "", caption)


def _row(run: RunResult | RunFailure) -> _Row:
    return run.model, difference_text(run.difference)


def _chosen(results: Sequence[RunResult]) -> dict[tuple[_Row, str], RunResult]:
    chosen: dict[tuple[_Row, str], RunResult] = {}
    for result in results:
        place = (_row(result), result.benchmark)
        if place not in chosen or _merit(result) > _merit(chosen[place]):
            chosen[place] = result
    return chosen


def _merit(result: RunResult) -> tuple[bool, bool, float, str]:
    return (not result.demo, result.status == "complete", result.modified, result.key)


def _rank(row: _Row) -> tuple[bool, int, str, str]:
    model, difference = row
    order = published_models()
    place = order.index(model) if model in order else len(order)
    return (difference != "", place, model, difference)


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


def _cell(column: Column, result: RunResult, derived: Derived, *, named: bool) -> str:
    metric = _shown(column, result, derived)
    text = cell_text(result, metric, _scores(result, derived).get(metric))
    if named and len(column.metrics) > 1 and not text.startswith(ABSENT):
        return f"{column.metrics[metric]} {text}"
    return text


def _caption(frame: pd.DataFrame, sentences: Sequence[str], left_out: int) -> str:
    cells = frame.drop(columns=MODEL).to_numpy().ravel().tolist()
    marks = [meaning for mark, meaning in _MARKS.items() if any(mark in cell for cell in cells)]
    older = f"Older or less complete runs, in results.csv only: {left_out}." if left_out else ""
    return " ".join(filter(None, ["Percent, with 95 % intervals.", *sentences, *marks, older]))
