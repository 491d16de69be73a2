"""Rows of names with a dot and an interval each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oodbench.reports.figures.marks import short
from oodbench.reports.figures.style import colour, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class Dot:
    """One number.

    Attributes:
        row: place from the top, whole numbers being the middles of rows.
        value: where it stands.
        low, high: of its interval; NaN where there is none.
        whole: whether it may be taken as it stands; else it is hollow.
        words: what is said of it.
        colour, marker: of the dot.
    """

    row: float
    value: float
    low: float
    high: float
    whole: bool
    words: str
    colour: str = colour(0)
    marker: str = "o"


def draw_dots(axes: "Axes", dots: Sequence[Dot], *, size: float = 4.0) -> None:
    """Draw dots with their intervals.

    Args:
        axes: with rows from `name_rows`.
        dots: NaN are left out.
        size: of a dot, points.
    """
    for dot in dots:
        if math.isnan(dot.value):
            continue
        if not math.isnan(dot.low):
            ends = [dot.low, dot.high]
            axes.plot(ends, [dot.row] * 2, color=dot.colour, linewidth=0.8, zorder=2)
        (mark,) = draw_mark(
            axes,
            dot.value,
            dot.row,
            colour=dot.colour,
            marker=dot.marker,
            whole=dot.whole,
            size=size,
        )
        say(mark, dot.words)


def draw_mark(
    axes: "Axes", x: float, y: float, *, colour: str, marker: str, whole: bool, size: float = 4.0
) -> "list[Line2D]":
    """Draw one mark, hollow where it is not to be taken as it stands."""
    return axes.plot(
        [x],
        [y],
        color=colour,
        marker=marker,
        linestyle="none",
        markersize=size,
        markeredgewidth=1.0,
        markerfacecolor=colour if whole else "none",
        zorder=3,
        clip_on=False,
    )


def name_rows(axes: "Axes", names: Sequence[str]) -> None:
    """Rows from the top with their names at the left."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
