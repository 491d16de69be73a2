"""How far the choice of a preprocessing, an attack or an engine moves each model's score."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from oodbench.core.errors import visible
from oodbench.metrics.score import TO_POINTS, UNIT_SUFFIX
from oodbench.reports.comparisons.spread import headline_of, points_of, varied_groups
from oodbench.reports.comparisons.words import VARIED, cell_of, way_of
from oodbench.reports.figures.dots import Dot, draw_dots, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.legends import legend_below
from oodbench.reports.figures.marks import (
    file_name,
    marks,
    metric_words,
    note,
    said_marks,
    short,
    title_of,
)
from oodbench.reports.figures.style import FAINT, INK, TWO_COLUMNS, colour, marker, new_drawing
from oodbench.runs.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_MOST_COLOURS = 6

Group = tuple[str, Sequence[RunResult]]
"""A model, with what all its runs do otherwise than usual, and these runs, the best first."""


def spread(results: Sequence[RunResult]) -> list[Figure]:
    """One figure for each varied field and benchmark of which a model has several runs.

    Args:
        results: finished runs.
    """
    found = []
    for field in VARIED:
        by_benchmark: dict[str, list[Group]] = {}
        for runs in varied_groups(results, field):
            cell = visible(cell_of(runs).replace(f" × {runs[0].benchmark}", ""))
            by_benchmark.setdefault(runs[0].benchmark, []).append((cell, runs))
        found += [_figure(field, groups) for groups in by_benchmark.values()]
    return found


def _figure(field: str, groups: Sequence[Group]) -> Figure:
    run = groups[0][1][0]
    score = headline_of(run)
    assert score is not None  # of a group all runs have one
    unit = UNIT_SUFFIX[score.unit].strip()
    table = pd.DataFrame(row for group in groups for row in _rows(field, group))
    ranges = sorted((_range(runs), cell) for cell, runs in groups)
    ends = f"{ranges[-1][0]:.1f} points ({ranges[-1][1]})"
    if len(ranges) > 1:
        ends = f"{ranges[0][0]:.1f} points ({ranges[0][1]}) to {ends}"
    return Figure(
        name=f"spread_{field}_{file_name(run.benchmark)}",
        section="Choices that move the numbers",
        title=f"{title_of(run)} by {field}",
        caption=(
            f"{_upper(metric_words(run.headline))} of each model with each {field}, with 95 % "
            "intervals, which hold for each run by itself: differences on the same pictures are "
            "told apart with far fewer (oodbench-compare). At the right: the range, in points."
            + note(one for _, runs in groups for one in runs)
        ),
        description=(
            f"Dots on a line for {len(groups)} model{'s' if len(groups) > 1 else ''}, a dot for "
            f"each {field}. The highest score of a model minus its lowest: {ends}."
        ),
        table=table,
        draw=partial(_draw, field, groups, f"{metric_words(run.headline)} ({unit})"),
    )


def _rows(field: str, group: Group) -> list[dict[str, object]]:
    cell, runs = group
    rows: list[dict[str, object]] = []
    for run in runs:
        score = headline_of(run)
        assert score is not None
        factor = TO_POINTS[score.unit]
        rows.append(
            {
                "model": cell,
                field: _way(run, field),
                "points": points_of(run),
                "low": factor * score.low,
                "high": factor * score.high,
                "range": _range(runs),
                "n": score.n,
                "marks": ", ".join(marks(run)),
            }
        )
    return rows


def _range(runs: Sequence[RunResult]) -> float:
    points = [points_of(run) for run in runs]
    return max(points) - min(points)


def _draw(field: str, groups: Sequence[Group], label: str) -> "Drawing":
    ways = list(dict.fromkeys(sorted(_way(run, field) for _, runs in groups for run in runs)))
    few = len(ways) <= _MOST_COLOURS
    drawing = new_drawing(
        0.75 * TWO_COLUMNS, 18 + 4.4 * len(groups) + (3.4 * math.ceil(len(ways) / 2) if few else 0)
    )
    axes = drawing.add_subplot()
    name_rows(axes, [cell for cell, _ in groups])
    for row, (cell, runs) in enumerate(groups):
        points = [points_of(run) for run in runs]
        axes.plot([min(points), max(points)], [row] * 2, color=INK, alpha=2 * FAINT, linewidth=3)
        dots = []
        for run in runs:
            number = ways.index(_way(run, field)) if few else 0
            score = headline_of(run)
            assert score is not None
            factor = TO_POINTS[score.unit]
            dots.append(
                Dot(
                    row + (0.5 * (number - (len(ways) - 1) / 2) / len(ways) if few else 0),
                    points_of(run),
                    factor * score.low if few else math.nan,
                    factor * score.high,
                    not marks(run),
                    f"{cell}, {_way(run, field)}: {points_of(run):.2f}{said_marks(run)}",
                    colour(number),
                    marker(number),
                )
            )
        draw_dots(axes, dots, size=3.5)
        axes.text(
            1.01, row, f"{_range(runs):.1f}", transform=axes.get_yaxis_transform(), va="center"
        )
    axes.text(1.01, -0.75, "range", transform=axes.get_yaxis_transform(), va="center")
    axes.set_xlabel(_upper(label))
    axes.grid(axis="x")
    if few:
        legend_below(drawing, [(short(way), True) for way in ways])
    return drawing


def _way(run: RunResult, field: str) -> str:
    return visible(way_of(run, field))


def _upper(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"
