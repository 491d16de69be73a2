"""Heat maps of top-1 error by corruption and severity (Hendrycks and Dietterich 2019)."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, short, title_of
from oodbench.reports.figures.matrix import Scale, draw_matrix
from oodbench.reports.figures.style import TWO_COLUMNS, new_drawing
from oodbench.runs.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_CELL = re.compile(r"(.+)/(\d+)")
_ERROR = "error"
_FEW, _MANY = 3, 6
"""Panels in a row where their numbers are to be read, and where they are not."""


def severities(shown: Mapping[str, Mapping[str, RunResult]]) -> list[Figure]:
    """One figure for each benchmark whose splits are corruptions at severities.

    Args:
        shown: runs by benchmark and name.
    """
    found = []
    for runs in shown.values():
        table = _table(runs)
        if not table.empty:
            found.append(_figure({name: runs[name] for name in table["model"].unique()}, table))
    return found


def _table(runs: Mapping[str, RunResult]) -> pd.DataFrame:
    rows = []
    for name, run in runs.items():
        for split, scores in run.scores.items():
            cell = _CELL.fullmatch(split)
            if cell is not None and _ERROR in scores:
                error = scores[_ERROR]
                rows.append(
                    {
                        "model": name,
                        "corruption": cell[1].replace("_", " "),
                        "severity": int(cell[2]),
                        "error (%)": 100 * error.value,
                        "low": 100 * error.low,
                        "high": 100 * error.high,
                        "n": error.n,
                        "marks": ", ".join(marks(run)),
                    }
                )
    return pd.DataFrame(rows)


def _figure(runs: Mapping[str, RunResult], table: pd.DataFrame) -> Figure:
    run = next(iter(runs.values()))
    means = table.groupby("corruption")["error (%)"].mean().sort_values()
    several = "" if len(runs) == 1 else f" of {len(runs)} models"
    return Figure(
        name=f"severities_{file_name(run.benchmark)}",
        section="Corruptions",
        title=f"{title_of(run)}: error by corruption and severity",
        caption=(
            "Top-1 error (%) of each corruption at each severity, 1 to 5 from left to right "
            "(Hendrycks and Dietterich 2019)." + note(runs.values(), "Marked with *")
        ),
        description=(
            f"Heat map{several}. Averaged over severities{' and models' if several else ''}, the "
            f"error goes from {means.iloc[0]:.1f} % ({means.index[0]}) to {means.iloc[-1]:.1f} % "
            f"({means.index[-1]})."
        ),
        table=table,
        draw=partial(_draw, runs, table),
    )


def _draw(runs: Mapping[str, RunResult], table: pd.DataFrame) -> "Drawing":
    corruptions = list(table["corruption"].unique())
    levels = sorted(table["severity"].unique())
    across = min(len(runs), _FEW if len(runs) <= _FEW else _MANY)
    down = math.ceil(len(runs) / across)
    width = TWO_COLUMNS if across > 2 else 50.0 + 45.0 * across
    height = 18 + down * (5 + 2.7 * len(corruptions))
    drawing = new_drawing(width, height)
    panels = drawing.subplots(down, across, squeeze=False)
    cells = table.set_index(["model", "corruption", "severity"])["error (%)"]
    for panel, (name, run) in zip(panels.flat, runs.items(), strict=False):
        values = np.array(
            [
                [cells.get((name, kind, level), math.nan) for level in levels]
                for kind in corruptions
            ],
            dtype=np.float64,
        )
        words = [
            f"{name}, {kind}, severity {level}: {value:.1f} %{said_marks(run)}"
            for kind, row in zip(corruptions, values, strict=True)
            for level, value in zip(levels, row, strict=True)
        ]
        numbers = ".0f" if across <= _FEW else ""
        draw_matrix(panel, values, words, Scale(0, 100), numbers=numbers)
        panel.set_title(short(name) + "*" * bool(marks(run)), fontsize=7 if numbers else 5.5)
    _name(panels, corruptions, levels, len(runs))
    bar = drawing.colorbar(
        Scale(0, 100).mappable(),
        ax=list(panels.flat),
        location="bottom",
        fraction=3 / height,
        pad=3 / height,
        shrink=0.5,
        aspect=30,
    )
    bar.set_label("Top-1 error (%)")
    bar.outline.set_visible(False)
    return drawing


def _name(panels: NDArray[Any], corruptions: Sequence[str], levels: Sequence[int], n: int) -> None:
    """Name rows at the left and severities at the bottom; ticks elsewhere would cost time."""
    across = panels.shape[1]
    for number, panel in enumerate(panels.flat):
        panel.set_visible(number < n)
        lowest, leftmost = number + across >= n, number % across == 0
        names = [str(level) for level in levels] if lowest else []
        panel.set_xticks(range(len(names)), names, fontsize=6)
        rows = corruptions if leftmost else []
        panel.set_yticks(range(len(rows)), rows, fontsize=6)
