"""Legends outside the axes, where they cover nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oodbench.reports.figures.marks import short
from oodbench.reports.figures.style import colour, marker

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D


def legend_below(
    drawing: "Drawing",
    names: Sequence[tuple[str, bool]],
    others: "Sequence[Artist]" = (),
    *,
    columns: int = 2,
) -> None:
    """Name the marks of the runs by number, below the drawing.

    Args:
        drawing: with a constrained layout.
        names: of the runs, and whether each may be taken as it stands.
        others: further entries, after these.
        columns: of the legend.
    """
    own = [
        mark_of(short(name), colour(number), marker(number), whole=whole)
        for number, (name, whole) in enumerate(names)
    ]
    drawing.legend(handles=[*own, *others], loc="outside lower center", ncols=columns)


def mark_of(label: str, own: str, shape: str, *, whole: bool = True) -> "Line2D":
    """An entry of a legend."""
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=own,
        marker=shape,
        linestyle="none",
        markerfacecolor=own if whole else "none",
        label=label,
    )
