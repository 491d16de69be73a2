"""A table as one record a cell, for programs."""

from collections.abc import Iterator, Mapping
from typing import Any

from oodbench.reports.tables.long import status
from oodbench.reports.tables.view import Cell, View, ViewColumn, ViewRow


def fields_of(view: View) -> list[str]:
    """Names of the fields of `cells_of`, in their order."""
    labels = [label.lower() for label in view.labels]
    return [*labels, *_OF_CELL, *(_OF_DIFFERENCE if _is_difference(view) else ())]


def cells_of(view: View) -> Iterator[dict[str, Any]]:
    """Each cell that has a run, row by row, in the order of `fields_of`.

    `value`, `low` and `high` are in `unit`, NaN where there is none. `reference` and `difference`
    are there where the table is set against something.
    """
    fields = fields_of(view)
    for row in view.rows:
        for column, cell in zip(view.columns, row.cells, strict=True):
            if cell.run is not None:
                found = _record(view, row, column, cell)
                yield {name: found.get(name) for name in fields}


_OF_CELL = (
    *("column", "benchmark", "metric", "value", "low", "high", "n", "unit", "best"),
    *("status", "preprocessing", "attack", "key", "text"),
)
_OF_DIFFERENCE = ("reference", "difference", "difference_low", "difference_high", "paired")


def _is_difference(view: View) -> bool:
    return any(cell.difference for row in view.rows for cell in row.cells)


def _record(view: View, row: ViewRow, column: ViewColumn, cell: Cell) -> Mapping[str, Any]:
    run, score, moved = cell.run, cell.score, cell.difference
    assert run is not None  # asked for cells with a run alone
    found: dict[str, Any] = {
        **{"preprocessing": run.preprocessing, "attack": run.attack},
        **dict(zip((label.lower() for label in view.labels), row.labels, strict=True)),
        "column": column.title,
        "benchmark": column.benchmark,
        "metric": cell.metric,
        "best": cell.best,
        "status": status(run),
        "key": run.key,
        "text": cell.text,
    }
    if score is not None:
        found |= {name: getattr(score, name) for name in ("value", "low", "high", "n", "unit")}
    if moved is not None:
        found |= {
            "reference": moved.reference,
            "difference": moved.value,
            "difference_low": moved.low,
            "difference_high": moved.high,
            "paired": moved.paired,
        }
    return found
