"""The wide table: models by benchmarks, in the order of the published one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from oodbench.metrics.score import Score
from oodbench.reference import published_models
from oodbench.reports.derived import Derived
from oodbench.reports.tables.cells import ABSENT, FAILED, cell_text
from oodbench.runs.results import RunResult

DEMO_WARNING = "DEMO DATA: these numbers are not comparable with published ones."


@dataclass(frozen=True)
class Column:
    """One benchmark.

    Attributes:
        metrics: what the cell shows: the first of them that the run has.
    """

    title: str
    benchmark: str
    metrics: tuple[str, ...]


COLUMNS = (
    Column("IN", "imagenet", ("top1",)),
    Column("IN-A", "imagenet_a", ("top1",)),
    Column("IN-C", "imagenet_c", ("mce",)),
    Column("IN-P", "imagenet_p", ("mfr", "flip_probability")),
    Column("Stylized IN", "cue_conflict", ("shape_bias",)),
    Column("IN-Sketch", "imagenet_sketch", ("top1",)),
    Column("Adv. acc.", "adversarial", ("adversarial_accuracy",)),
)
"""Those of the published table; benchmarks that it has not follow by name."""

_METRIC_NAMES = {"mfr": "mFR", "flip_probability": "flip prob."}

_MARKS = {
    "(pub. ": "pub.: the published value and our difference from it.",
    "(testbed ": "testbed: the value of imagenet-testbed, where none was published.",
    "other protocol": "other protocol: made with re-cropped files, hence no difference.",
    " partial ": "partial: pictures scored / official count.",
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
    results: Sequence[RunResult], failures: Sequence[dict[str, str]], derived: Derived
) -> WideTable:
    """One row per model with the runs that did what the published run did, then all others.

    Of several runs for a cell a complete one goes before a partial one and both before one on demo
    data, then the newest. A run with a difference has a row `model (difference)` below.
    """
    chosen = _chosen(results)
    failed = {(_failed_row(failure), failure["benchmark"]) for failure in failures}
    rows = sorted({row for row, _ in (*chosen, *failed)}, key=_rank)
    columns = [*COLUMNS, *_further(results, failures)]
    titles = {column: _title(column, chosen.values(), derived) for column in columns}

    table = []
    for row in rows:
        cells = {"Model": f"{row[0]} ({row[1]})" if row[1] else row[0]}
        for column in columns:
            place = (row, column.benchmark)
            cells[titles[column]] = (
                _cell(column, chosen[place], derived, named=titles[column] == column.title)
                if place in chosen
                else (FAILED if place in failed else ABSENT)
            )
        table.append(cells)
    frame = pd.DataFrame(table, columns=["Model", *titles.values()], dtype=str)
    demo = any(result.demo for result in chosen.values())
    left_out = len(results) - len(chosen)
    return WideTable(frame, DEMO_WARNING if demo else "", _caption(frame, left_out))


def _chosen(results: Sequence[RunResult]) -> dict[tuple[_Row, str], RunResult]:
    chosen: dict[tuple[_Row, str], RunResult] = {}
    for result in results:
        place = ((result.model, result.difference), result.benchmark)
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


def _failed_row(failure: dict[str, str]) -> _Row:
    return failure["model"], failure["difference"]


def _further(results: Sequence[RunResult], failures: Sequence[dict[str, str]]) -> list[Column]:
    """Columns of benchmarks that the published table has not."""
    known = {column.benchmark for column in COLUMNS}
    headlines = {failure["benchmark"]: "" for failure in failures}
    headlines |= {result.benchmark: result.headline for result in results}
    return [
        Column(name, name, (headline,))
        for name, headline in sorted(headlines.items())
        if name not in known
    ]


def _title(column: Column, results: Iterable[RunResult], derived: Derived) -> str:
    """Names the metric where the column may show several and all its cells show the same."""
    shown = {
        _shown(column, result, derived)
        for result in results
        if result.benchmark == column.benchmark
    } or {column.metrics[-1]}
    if len(column.metrics) == 1 or len(shown) != 1:
        return column.title
    return f"{column.title} ({_METRIC_NAMES[shown.pop()]})"


def _scores(result: RunResult, derived: Derived) -> dict[str, Score]:
    return {**result.scores.get("", {}), **derived.get(result.directory, {})}


def _shown(column: Column, result: RunResult, derived: Derived) -> str:
    scores = _scores(result, derived)
    known = [m for m in column.metrics if m in scores and not math.isnan(scores[m].value)]
    return known[0] if known else column.metrics[-1]


def _cell(column: Column, result: RunResult, derived: Derived, *, named: bool) -> str:
    metric = _shown(column, result, derived)
    text = cell_text(result, metric, _scores(result, derived).get(metric))
    if named and len(column.metrics) > 1 and not text.startswith(ABSENT):
        return f"{_METRIC_NAMES[metric]} {text}"
    return text


def _caption(frame: pd.DataFrame, left_out: int) -> str:
    titles = list(frame.columns)
    flips = "IN-P is the flip probability"
    ratio = "IN-P is mFR, the flip probability relative to AlexNet's"
    mixed = "IN-P is mFR or the flip probability, as each cell says"
    in_p = flips if "IN-P (flip prob.)" in titles else ratio if "IN-P (mFR)" in titles else mixed
    cells = frame.drop(columns="Model").to_numpy().ravel().tolist()
    sentences = [
        "Percent, with 95 % intervals.",
        f"IN-C is mCE, {in_p}; lower is better for both.",
        "Stylized IN is the shape bias.",
        *(meaning for mark, meaning in _MARKS.items() if any(mark in cell for cell in cells)),
    ]
    if left_out:
        sentences.append(f"Older or less complete runs, in results.csv only: {left_out}.")
    return " ".join(sentences)
