"""The columns of a table that are asked for, and its rows by one of them."""

import math
from collections.abc import Sequence
from dataclasses import replace

from oodbench.core.errors import ConfigError
from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.view import View, ViewRow


def arranged(view: View, asked: Asked) -> View:
    """The table with the columns that are asked for, sorted; the best value comes first.

    Rows without a value come last, and equal ones stay in their order. By a heading of the labels,
    rows go by its text.

    Raises:
        ConfigError: no column has a title or benchmark that is named.
    """
    rows = list(view.rows)
    if asked.sort is not None:
        rows = _sorted(view, asked.sort)
    if not asked.columns:
        return replace(view, rows=rows)
    places = [_place(view, name, "--columns") for name in asked.columns]
    return replace(
        view,
        columns=[view.columns[place] for place in places],
        rows=[ViewRow(labels, [cells[place] for place in places]) for labels, cells in rows],
    )


def _sorted(view: View, name: str) -> list[ViewRow]:
    headings = [heading.casefold() for heading in view.labels]
    if name.casefold() in headings:
        label = headings.index(name.casefold())
        return sorted(view.rows, key=lambda row: row.labels[label].casefold())
    place = _place(view, name, "--sort")
    sign = 1 if view.columns[place].lower_is_better else -1

    def rank(row: ViewRow) -> tuple[bool, float]:
        cell = row.cells[place]
        value = math.nan if cell.score is None else cell.score.value
        if cell.difference is not None:
            value = cell.difference.value
        return (math.isnan(value), 0.0 if math.isnan(value) else sign * value)

    return sorted(view.rows, key=rank)


def _place(view: View, name: str, option: str) -> int:
    """Position of a column that is named by heading, title or benchmark, in any case."""
    wanted = name.casefold()
    for place, column in enumerate(view.columns):
        if wanted in (one.casefold() for one in (column.heading, column.title, column.benchmark)):
            return place
    known: Sequence[str] = [column.title for column in view.columns]
    raise ConfigError(f"{option} {name}: no such column; there are: {', '.join(known)}")
