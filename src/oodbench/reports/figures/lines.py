"""Curves of several runs in one pair of axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oodbench.reports.figures.dots import draw_mark
from oodbench.reports.figures.marks import short
from oodbench.reports.figures.style import INK, MUTED, colour, marker, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6
"""Curves that can be told apart by colour; of more only the outermost two have one."""


@dataclass(frozen=True)
class Curve:
    """The points of one run.

    Attributes:
        name: of the run.
        x, y: of the points.
        rank: number that the curves are ordered by, the best lowest.
        whole: whether it may be taken as it stands; else its mark is hollow.
        words: what is said of it, in a page and behind its name in the legend.
        second: y of a second curve of the same run, broken; empty where there is none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    rank: float
    whole: bool
    words: str
    second: Sequence[float] = ()


def draw_curves(axes: "Axes", curves: Sequence[Curve], *, steps: bool = False) -> None:
    """Draw the curves and a legend at the right.

    Args:
        axes: of the drawing; its legend lies outside.
        curves: at least one.
        steps: each value holds until the next point.
    """
    ordered = sorted(curves, key=lambda curve: curve.rank)
    many = len(ordered) > MOST
    style = "steps-post" if steps else "default"
    handles = []
    for number, curve in enumerate(ordered):
        outer = number in (0, len(ordered) - 1)
        place = number if not many else (0 if number == 0 else 1)
        own = colour(place) if outer or not many else INK
        alpha = 1.0 if outer or not many else MUTED / 2
        shape = marker(place)
        (line,) = axes.plot(curve.x, curve.y, color=own, alpha=alpha, drawstyle=style)
        say(line, f"{curve.name}: {curve.words}")
        if len(curve.second) and (outer or not many):
            axes.plot(
                curve.x,
                curve.second,
                color=own,
                alpha=alpha,
                linestyle=(0, (3, 2)),
                linewidth=0.9,
                drawstyle=style,
            )
        if outer or not many:
            line.set_zorder(3)
            draw_mark(axes, curve.x[-1], curve.y[-1], colour=own, marker=shape, whole=curve.whole)
            handles.append(_handle(curve, own, shape))
    if many:
        handles.insert(1, _others(len(ordered) - 2))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0)


def _handle(curve: Curve, own: str, shape: str):  # type: ignore[no-untyped-def]
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=own,
        marker=shape,
        markerfacecolor=own if curve.whole else "none",
        label=f"{short(curve.name)}\n{curve.words}",
    )


def _others(count: int):  # type: ignore[no-untyped-def]
    from matplotlib.lines import Line2D

    return Line2D([], [], color=INK, alpha=MUTED / 2, label=f"{count} others")
