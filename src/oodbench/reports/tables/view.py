"""A table as it is shown, before it is text: labels, cells, and what must be read with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from oodbench.metrics.score import Score
from oodbench.reports.tables.captions import DEMO_WARNING, PERCENT, caption
from oodbench.reports.tables.columns import Column, caption_sentences
from oodbench.reports.tables.more_data import trained_on_sentence
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
    """A benchmark.

    Attributes:
        heading: shown above the column; it may name the metric.
        column: what the benchmark says of it.
        metric: that all cells show; None where they show several.
    """

    heading: str
    column: Column
    metric: str | None

    @property
    def title(self) -> str:
        """Of the column, without metric."""
        return self.column.title

    @property
    def benchmark(self) -> str:
        """Its name."""
        return self.column.benchmark

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower value is the better one."""
        return self.column.lower_is_better


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
        said: sentences on the numbers, with which the caption begins.
        remarks: sentences with which it ends.
        left_out: runs that are older or less complete than those shown.
        n_failed: runs that failed and have no cell.
    """

    labels: Sequence[str]
    columns: Sequence[ViewColumn]
    rows: Sequence[ViewRow]
    said: Sequence[str] = (PERCENT,)
    remarks: Sequence[str] = ()
    left_out: int = 0
    n_failed: int = 0

    @property
    def headings(self) -> list[str]:
        """Of all columns of text."""
        return [*self.labels, *(column.heading for column in self.columns)]

    @property
    def runs(self) -> list[RunResult]:
        """Of all cells."""
        cells = chain.from_iterable(row.cells for row in self.rows)
        return [cell.run for cell in cells if cell.run is not None]

    @property
    def warning(self) -> str:
        """Shown above the table; empty unless a cell rests on demo data."""
        return DEMO_WARNING if any(run.demo for run in self.runs) else ""

    @property
    def caption(self) -> str:
        """Shown below the table."""
        texts = (cell.text for row in self.rows for cell in row.cells)
        columns = caption_sentences((one.column, one.metric) for one in self.columns)
        sentences = [*self.said, *columns, *trained_on_sentence(self.runs)]
        found = caption(texts, sentences, left_out=self.left_out, n_failed=self.n_failed)
        return " ".join([found, *self.remarks])

    def texts(self) -> list[list[str]]:
        """Labels and cells of all rows."""
        return [[*labels, *(cell.text for cell in cells)] for labels, cells in self.rows]
