"""The wide table: models by benchmarks, in the order of the published one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from oodbench.metrics.score import Score
from oodbench.reference import published_models
from oodbench.reports.derived import Derived
from oodbench.reports.tables.cells import ABSENT, DOUBTFUL, FAILED, cell_text
from oodbench.reports.tables.columns import MODEL, Column, caption_sentences, table_columns
from oodbench.reports.tables.more_data import trained_on_sentence
from oodbench.reports.tables.rows import Row, chosen_runs, row_of
from oodbench.runs.results import RunFailure, RunResult

DEMO_WARNING = "DEMO DATA: these numbers are not comparable with published ones."

_MARKS = {
    "(pub. ": "pub.: the published value and our difference from it.",
    "(testbed ": "testbed: the value of imagenet-testbed, where none was published.",
    "other protocol": "other protocol: made with re-cropped files, hence no difference.",
    " partial ": "partial: pictures scored / official count.",
    " demo ": "demo: demo data, and how many pictures (clips) were scored.",
    " count unknown": "count unknown: no source says how many pictures there are.",
    " skipped ": "skipped: pictures that could not be read and were left out.",
    " ext.": "ext.: an extension, the published run did not support this model here.",
    f" {DOUBTFUL}": f"{DOUBTFUL}: checks of the attack warn (oodbench-table --attack-report).",
    FAILED: "failed: the last attempt ended with an error, see its error.json.",
    ABSENT: f"{ABSENT}: no value.",
}


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
    """One row per model with the runs that did what ships under its names, then all others.

    A run with a difference has a row `model (difference)` below; `oodbench.reports.tables.rows`
    says which of several runs a cell shows. A failure shows in a row that has a result; the others
    are counted below the table.
    """
    chosen = chosen_runs(results)
    failed = {(row_of(failure), failure.benchmark) for failure in failures} - chosen.keys()
    rows = sorted({row for row, _ in chosen}, key=_rank)
    columns = [
        (column, _one_metric(column, chosen.values(), derived))
        for column in table_columns(results, failures)
    ]
    table = []
    for row in rows:
        cells = {MODEL: f"{row.model} ({row.difference})" if row.difference else row.model}
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
    unseen = sum(row not in rows for row, _ in failed)
    sentences = [*caption_sentences(columns), *trained_on_sentence(chosen.values())]
    caption = _caption(frame, sentences, left_out=len(results) - len(chosen), n_failed=unseen)
    shown = frozenset(
        (run.directory, _shown(column, run, derived))
        for column, _ in columns
        for run in chosen.values()
        if run.benchmark == column.benchmark
    )
    return WideTable(frame, shown, DEMO_WARNING if demo else "", caption)


def _rank(row: Row) -> tuple[bool, int, str, str]:
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


def _caption(frame: pd.DataFrame, sentences: Sequence[str], *, left_out: int, n_failed: int) -> str:
    cells = frame.drop(columns=MODEL).to_numpy().ravel().tolist()
    marks = [meaning for mark, meaning in _MARKS.items() if any(mark in cell for cell in cells)]
    older = f"Older or less complete runs, in results.csv only: {left_out}." if left_out else ""
    failed = (
        f"Failed, without a row here: {n_failed} (oodbench-table --failed)." if n_failed else ""
    )
    parts = ["Percent, with 95 % intervals.", *sentences, *marks, older, failed]
    return " ".join(filter(None, parts))
