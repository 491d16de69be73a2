"""A table as it is shown, before it is text: labels, cells, and what must be read with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oodbench.metrics.score import Score
from oodbench.runs.results import RunResult


@dataclass(frozen=True)
class Difference:
    """A score minus another one, in the score's unit.

    Attributes:
        reference: the other one.
        low, high: limits of the 95 % interval; NaN where there is none.
        paired: whether the interval is that of the same pictures; None where the other score is not
            that of a run.
    """

    reference: float
    value: float
    low: float
    high: float
    paired: bool | None = None


@dataclass(frozen=True)
class Cell:
    """A score of a run.

    Attributes:
        text: as it is shown.
        run: None where there is none.
        metric: of the score.
        score: None where there is none.
        difference: from what the table is set against; None where from nothing.
        best: one of the best of its column.
    """

    text: str
    run: RunResult | None = None
    metric: str = ""
    score: Score | None = None
    difference: Difference | None = None
    best: bool = False


@dataclass(frozen=True)
class ViewColumn:
    """A benchmark; its heading may name the metric too."""

    heading: str
    title: str
    benchmark: str
    lower_is_better: bool


class ViewRow(NamedTuple):
    """Texts that tell the row apart, the model first, and the cell of each column."""

    labels: Sequence[str]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class View:
    """A table.

    Attributes:
        labels: headings of what tells the rows apart, the model first.
        columns: of the cells.
        rows: in the order in which they are shown.
        warning: shown above the table; empty unless a cell rests on demo data.
        caption: shown below it.
    """

    labels: Sequence[str]
    columns: Sequence[ViewColumn]
    rows: Sequence[ViewRow]
    warning: str
    caption: str

    @property
    def headings(self) -> list[str]:
        """Of all columns of text."""
        return [*self.labels, *(column.heading for column in self.columns)]

    def texts(self) -> list[list[str]]:
        """Labels and cells of all rows."""
        return [[*labels, *(cell.text for cell in cells)] for labels, cells in self.rows]
