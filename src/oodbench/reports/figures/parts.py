"""Scores of the parts of a benchmark, such as corruptions or perturbations, models side by side."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.score import TO_POINTS, UNIT_SUFFIX
from oodbench.reports.figures.dots import Dot, draw_dots, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.legends import legend_below
from oodbench.reports.figures.marks import (
    column_of,
    file_name,
    marks,
    note,
    said_marks,
    short,
    title_of,
)
from oodbench.reports.figures.matrix import draw_matrix, scale_of
from oodbench.reports.figures.style import (
    FAINT,
    INK,
    ONE_COLUMN,
    TWO_COLUMNS,
    colour,
    marker,
    new_drawing,
)
from oodbench.runs.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_MOST_COLOURS = 6


def parts(shown: Mapping[str, Mapping[str, RunResult]]) -> list[Figure]:
    """One figure for each benchmark whose config names a score of its parts.

    Args:
        shown: runs by benchmark and name.
    """
    found = []
    for runs in shown.values():
        for metric, words in column_of(next(iter(runs.values()))).parts.items():
            table = _table(runs, metric)
            if not table.empty:
                kept = {name: runs[name] for name in table["model"].unique()}
                found.append(_figure(kept, table, words))
                break
    return found


def _table(runs: Mapping[str, RunResult], metric: str) -> pd.DataFrame:
    rows = []
    for name, run in runs.items():
        for part, scores in run.scores.items():
            if not part or metric not in scores:
                continue
            score = scores[metric]
            factor = TO_POINTS[score.unit]
            rows.append(
                {
                    "model": name,
                    "part": part.replace("_", " "),
                    "value": factor * score.value,
                    "low": factor * score.low,
                    "high": factor * score.high,
                    "unit": UNIT_SUFFIX[score.unit].strip(),
                    "n": score.n,
                    "marks": ", ".join(marks(run)),
                }
            )
    return pd.DataFrame(rows)


def _figure(runs: Mapping[str, RunResult], table: pd.DataFrame, words: str) -> Figure:
    run = next(iter(runs.values()))
    ranked = table.dropna(subset="value").sort_values("value")
    unit = table["unit"].iloc[0]
    said = f"{words[0].upper()}{words[1:]} of each part of {title_of(run)}"
    ends = ""
    if len(ranked):
        low, high = ranked.iloc[0], ranked.iloc[-1]
        ends = (
            f" It goes from {low['value']:.1f} {unit} ({low['model']}, {low['part']}) to "
            f"{high['value']:.1f} {unit} ({high['model']}, {high['part']})."
        )
    few = len(runs) <= _MOST_COLOURS
    return Figure(
        name=f"parts_{file_name(run.benchmark)}",
        section="Corruptions",
        title=f"{title_of(run)}: {words}",
        caption=f"{said}{', with 95 % intervals' if few else ''}. Lower is better."
        + note(runs.values(), "Hollow marks" if few else "Marked with *"),
        description=f"{said}, {len(runs)} models side by side.{ends}".replace(
            "1 models side by side", "one model"
        ),
        table=table,
        draw=partial(_draw_dots if few else _draw_matrix, runs, table, f"{words} ({unit})"),
    )


def _draw_dots(runs: Mapping[str, RunResult], table: pd.DataFrame, label: str) -> "Drawing":
    names = list(table["part"].unique())
    drawing = new_drawing(ONE_COLUMN, 22 + len(names) * max(3.2, 1.5 * len(runs)) + 3.2 * len(runs))
    axes = drawing.add_subplot()
    name_rows(axes, names)
    step = 0.7 / len(runs)
    for number, (name, run) in enumerate(runs.items()):
        rows = table[table["model"] == name]
        draw_dots(
            axes,
            [
                Dot(
                    names.index(row["part"]) + (number - (len(runs) - 1) / 2) * step,
                    row["value"],
                    row["low"],
                    row["high"],
                    not marks(run),
                    f"{name}, {row['part']}: {row['value']:.1f} [{row['low']:.1f}, "
                    f"{row['high']:.1f}]{said_marks(run)}",
                    colour(number),
                    marker(number),
                )
                for row in rows.to_dict("records")
            ],
            size=3.0,
        )
    for border in range(1, len(names)):
        axes.axhline(border - 0.5, color=INK, alpha=FAINT, linewidth=0.4)
    axes.set_xlabel(f"{label[0].upper()}{label[1:]}")
    axes.grid(axis="x")
    legend_below(drawing, [(name, not marks(run)) for name, run in runs.items()])
    return drawing


def _draw_matrix(runs: Mapping[str, RunResult], table: pd.DataFrame, label: str) -> "Drawing":
    names = list(table["part"].unique())
    cells = table.set_index(["model", "part"])["value"]
    values = np.array(
        [[cells.get((name, part), math.nan) for part in names] for name in runs], dtype=np.float64
    )
    drawing = new_drawing(TWO_COLUMNS, 42 + 3.1 * len(runs))
    axes = drawing.add_subplot()
    draw_matrix(
        axes, values, _words(runs, names, values), scale_of(values), numbers=".0f", size=5.5
    )
    axes.set_yticks(
        range(len(runs)), [short(name) + "*" * bool(marks(run)) for name, run in runs.items()]
    )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    bar = drawing.colorbar(scale_of(values).mappable(), ax=axes, aspect=30, pad=0.01)
    bar.set_label(f"{label[0].upper()}{label[1:]}")
    bar.outline.set_visible(False)
    return drawing


def _words(
    runs: Mapping[str, RunResult],
    names: Sequence[str],
    values: NDArray[np.float64],
) -> list[str]:
    return [
        f"{name}, {part}: {value:.1f}{said_marks(run)}"
        for (name, run), row in zip(runs.items(), values, strict=True)
        for part, value in zip(names, row, strict=True)
    ]
