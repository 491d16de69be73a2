"""The wide table as a page shows it: numbers with their intervals, marks, and what a pointer finds.

Which run a cell shows, its marks and what stands beside it are those of `oodbench-table`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oodbench.metrics.score import TO_POINTS, UNIT_SUFFIX, Score
from oodbench.reports.page.wording import ABSENT, interval_text, number_text
from oodbench.reports.published.values import PUBLISHED
from oodbench.reports.tables.cells import DECIMALS, FAILED, comparison, marks
from oodbench.reports.tables.long import status
from oodbench.reports.tables.view import Cell, View, ViewColumn, ViewRow
from oodbench.runs.naming.difference import difference_text

NONE = "none"
"""Status of a cell that has neither a run nor a failure."""


@dataclass(frozen=True)
class PageCell:
    """A cell.

    Attributes:
        status: that of the run, `failed` or `none`.
        text: its number; "failed" or a dash where there is none.
        sort: what rows are sorted by, in points; None: after all others.
        interval: of 95 %, "" where there is none.
        marks: what must be known beside the number.
        run: number of the run's card; None where there is no run.
        details: names and texts that a pointer finds.
    """

    status: str
    text: str
    sort: float | None = None
    interval: str = ""
    marks: Sequence[str] = ()
    run: int | None = None
    details: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class PageRow:
    """A row: the model, what was done otherwise, and the cells."""

    model: str
    otherwise: str
    cells: Sequence[PageCell]


@dataclass(frozen=True)
class PageTable:
    """The table.

    Attributes:
        columns: heading, and whether a lower number is the better one.
        empty: headings of the columns that no run or failure is of, which are left out.
        statuses: of the cells, in the order in which they are offered, with their counts.
        caption: what must be read with it.
    """

    columns: Sequence[tuple[str, bool]]
    rows: Sequence[PageRow]
    empty: Sequence[str]
    statuses: Mapping[str, int]
    caption: str


_STATUSES = ("complete", "partial", "demo", "extension", FAILED)


def page_table(view: View, numbers: Mapping[Path, int]) -> PageTable:
    """The table of a view.

    Args:
        view: of all runs.
        numbers: of the cards, by the folders of the runs.
    """
    kept = [place for place in range(len(view.columns)) if _is_used(view, place)]
    used = replace(
        view,
        columns=[view.columns[place] for place in kept],
        rows=[ViewRow(labels, [cells[place] for place in kept]) for labels, cells in view.rows],
    )
    rows = [
        _row(labels[0], cells, [_cell(cell, column, numbers) for cell, column in columns])
        for labels, cells in used.rows
        for columns in [list(zip(cells, used.columns, strict=True))]
    ]
    found = [cell.status for row in rows for cell in row.cells]
    return PageTable(
        columns=[(column.heading, column.lower_is_better) for column in used.columns],
        rows=rows,
        empty=[one.heading for place, one in enumerate(view.columns) if place not in kept],
        statuses={name: found.count(name) for name in _STATUSES if name in found},
        caption=used.caption,
    )


def _is_used(view: View, place: int) -> bool:
    return any(cells[place].run or cells[place].text == FAILED for _, cells in view.rows)


def _row(label: str, cells: Sequence[Cell], shown: Sequence[PageCell]) -> PageRow:
    model = next((cell.run.model for cell in cells if cell.run is not None), label)
    otherwise = label.removeprefix(model).strip()
    return PageRow(model, otherwise.removeprefix("(").removesuffix(")"), shown)


def _cell(cell: Cell, column: ViewColumn, numbers: Mapping[Path, int]) -> PageCell:
    run, score = cell.run, cell.score
    if run is None:
        return PageCell(FAILED if cell.text == FAILED else NONE, cell.text)
    named = column.metric is None and len(column.column.metrics) > 1
    metric = column.column.metrics.get(cell.metric, cell.metric)
    is_known = score is not None and not math.isnan(score.value)
    return PageCell(
        status(run),
        number_text(score) if score is not None else ABSENT,
        score.value * TO_POINTS[score.unit] if score is not None and is_known else None,
        interval_text(score) if score is not None else "",
        [*([metric] if named and is_known else []), *marks(run)],
        numbers[run.directory],
        [pair for pair in _details(cell, metric) if pair[1]],
    )


def _details(cell: Cell, metric: str) -> list[tuple[str, str]]:
    run, score = cell.run, cell.score
    assert run is not None  # as `_cell` says
    found = [] if score is None else [(metric, _whole(score)), *_beside(cell, score)]
    return [
        *found,
        ("pictures", f"{run.n_images} of {run.n_expected}, {status(run)}"),
        ("preprocessing", run.preprocessing),
        ("attack", "" if run.attack == "none" else run.attack),
        ("otherwise", difference_text(run.difference)),
        ("checks that warn", ", ".join(run.attack_warnings)),
        ("note", "" if score is None else score.note),
    ]


def _whole(score: Score) -> str:
    value = number_text(score)
    interval = interval_text(score)
    suffix = UNIT_SUFFIX[score.unit] if value != ABSENT else ""
    return f"{value}{suffix} {interval}, n = {score.n}" if interval else f"{value}{suffix}"


def _beside(cell: Cell, score: Score) -> list[tuple[str, str]]:
    """What others found doing the same, and our difference from it."""
    assert cell.run is not None
    found = comparison(cell.run, cell.metric)
    if found is None or math.isnan(score.value):
        return []
    scale, decimals = TO_POINTS[score.unit], DECIMALS[score.unit]
    source = "published" if found.source == PUBLISHED else found.source
    value = f"{found.value * scale:.{decimals}f}"
    if not found.comparable:
        return [(source, f"{value}, by another protocol")]
    # Adding 0.0 turns the -0.0 of a rounded small difference into 0.0.
    difference = round((score.value - found.value) * scale, decimals) + 0.0
    return [(source, value), ("difference", f"{difference:+.{decimals}f}")]
