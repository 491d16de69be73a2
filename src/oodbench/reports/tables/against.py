"""A table of differences: from published values, or from a model."""

import math
from dataclasses import replace

from oodbench.core.errors import ConfigError
from oodbench.metrics.groups import UNKNOWN
from oodbench.metrics.paired import difference
from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.tables.asked import PUBLISHED_VALUES, listed
from oodbench.reports.tables.best import paired_flags
from oodbench.reports.tables.cells import ABSENT, DECIMALS, comparison, marks
from oodbench.reports.tables.view import Cell, Difference, View, ViewRow

_OF_PUBLISHED = "Differences from published values, in points, with 95 % intervals of our scores."
_OF_MODEL = (
    "Differences from {model}, in points, with 95 % intervals: paired over pictures where the "
    "score is a share of right pictures, else as of independent runs (~)."
)


def set_against(view: View, against: str, problems: list[str]) -> View:
    """The table with differences in the place of scores; rows without any are left out.

    Args:
        view: as `wide_view` makes it.
        against: `published`, or the name of a model. Its runs are compared with those that have the
            same labels otherwise.
        problems: gets a line for every run whose records cannot be used.

    Raises:
        ConfigError: no cell has a value to be set against.
    """
    published = against == PUBLISHED_VALUES
    rows = _of_published(view) if published else _of_model(view, against, problems)
    rows = [row for row in rows if any(cell.difference for cell in row.cells)]
    if not rows:
        raise ConfigError(_refusal(view, against))
    kept = [
        place
        for place in range(len(view.columns))
        if any(row.cells[place].difference for row in rows)
    ]
    said = _OF_PUBLISHED if published else _OF_MODEL.format(model=against)
    return replace(
        view,
        columns=[view.columns[place] for place in kept],
        rows=[ViewRow(labels, [cells[place] for place in kept]) for labels, cells in rows],
        said=[said, *view.said[1:]],
    )


def _refusal(view: View, against: str) -> str:
    if against == PUBLISHED_VALUES:
        return (
            "--against published: no run shown here did what a published one did; "
            "oodbench-check says what each was compared with"
        )
    models = {run.model for run in view.runs}
    if against in models:
        return f"--against {against}: no other model has a run of the same benchmark"
    return f"--against {against}: no run shown here is of it; models: {listed(models)}"


def _of_published(view: View) -> list[ViewRow]:
    return [
        ViewRow(labels, [_shown(cell, _from_published(cell)) for cell in cells])
        for labels, cells in view.rows
    ]


def _from_published(cell: Cell) -> Difference | None:
    run, score = cell.run, cell.score
    value = None if run is None else comparison(run, cell.metric)
    if value is None or not value.comparable or score is None or math.isnan(score.value):
        return None
    reference = value.value
    return Difference(
        reference, score.value - reference, score.low - reference, score.high - reference
    )


def _of_model(view: View, model: str, problems: list[str]) -> list[ViewRow]:
    """The rows of other models, each set against the model's row of the same labels otherwise."""
    theirs = {_others(row, model): row for row in view.rows if _model_of(row) == model}
    rows = []
    for row in view.rows:
        name = _model_of(row)
        partner = theirs.get(_others(row, name))
        if name != model and partner is not None:
            pairs = zip(row.cells, partner.cells, strict=True)
            cells = [_shown(cell, _between(cell, other, problems)) for cell, other in pairs]
            rows.append(ViewRow(row.labels, cells))
    return rows


def _model_of(row: ViewRow) -> str:
    return next(cell.run.model for cell in row.cells if cell.run is not None)


def _others(row: ViewRow, model: str) -> tuple[str, ...]:
    """What tells the row apart beside its model."""
    return (row.labels[0].removeprefix(model), *row.labels[1:])


def _between(cell: Cell, other: Cell, problems: list[str]) -> Difference | None:
    """How far the cell is from the other one, paired where their pictures allow it."""
    score, reference = cell.score, other.score
    if score is None or reference is None or cell.metric != other.metric:
        return None
    if math.isnan(score.value) or math.isnan(reference.value):
        return None
    flags = paired_flags([cell, other], problems)
    if flags is not None:
        both = (flags[0] != UNKNOWN) & (flags[1] != UNKNOWN)
        if both.any():
            found = difference(flags[1][both] == 1, flags[0][both] == 1)
            return Difference(reference.value, found.value, found.low, found.high, paired=True)
    return _independent(score, reference)


def _independent(score: Score, reference: Score) -> Difference:
    """The interval of a difference of independent estimates (Newcombe 1998, method 10)."""
    value = score.value - reference.value
    below = math.hypot(score.value - score.low, reference.high - reference.value)
    above = math.hypot(score.high - score.value, reference.value - reference.low)
    return Difference(reference.value, value, value - below, value + above, paired=False)


def _shown(cell: Cell, moved: Difference | None) -> Cell:
    if moved is None or cell.score is None or cell.run is None:
        return replace(cell, text=ABSENT)
    scale, decimals = TO_POINTS[cell.score.unit], DECIMALS[cell.score.unit]

    def text(value: float) -> str:
        # Adding 0.0 turns the -0.0 of a rounded small difference into 0.0.
        return f"{round(value * scale, decimals) + 0.0:+.{decimals}f}"

    interval = "" if math.isnan(moved.low) else f"[{text(moved.low)}, {text(moved.high)}]"
    unpaired = "~" if interval and moved.paired is False else ""
    return replace(
        cell,
        text=" ".join(filter(None, [text(moved.value), interval, unpaired, *marks(cell.run)])),
        difference=moved,
    )
