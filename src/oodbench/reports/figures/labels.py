"""Names beside marks where they cover nothing; a name that finds no place is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oodbench.reports.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_PLACES = (
    *((5, 0, "left", "center"), (-5, 0, "right", "center")),
    *((0, 5, "center", "bottom"), (0, -5, "center", "top")),
    *((4, 4, "left", "bottom"), (-4, 4, "right", "bottom")),
    *((4, -4, "left", "top"), (-4, -4, "right", "top")),
)
"""Where a name may stand: points to the right and up of its mark, and how it is aligned."""

_BEFORE = {"left": 0.0, "right": 1.0, "bottom": 0.0, "top": 1.0, "center": 0.5}
"""Share of a name that stands before (below) its place, by alignment."""

_LETTERS = 6.0
"""Their size, points."""

_MARK = 3.0
"""Half the side of the square that a mark takes, points."""


@dataclass(frozen=True)
class Label:
    """A name and the place of its mark in the units of the axes."""

    x: float
    y: float
    text: str


def place_labels(
    axes: "Axes", labels: Sequence[Label], others: NDArray[np.float64], *, most: int
) -> None:
    """Write the names that find a place; to be called when all else is drawn.

    Args:
        axes: of a drawing with a canvas.
        labels: the most important first.
        others: places of further marks that no name may cover, `(n, 2)` in the units of the axes.
        most: names that are written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    scale = figure.dpi / 72
    taken = [_around(axes, label, _MARK * scale) for label in labels]
    behind = axes.transData.transform(others)
    inside = axes.get_window_extent(renderer)
    written = 0
    for label in labels:
        if written == most:
            return
        text = axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=_LETTERS,
            color=INK,
        )
        text.set_in_layout(False)
        size = text.get_window_extent(renderer)
        for place in _PLACES:
            box = _box(axes, label, place, size, scale)
            free = not any(box.overlaps(other) for other in taken)
            if free and _within(box, inside) and not _covers(box, behind):
                text.set(position=place[:2], ha=place[2], va=place[3])
                taken.append(box)
                written += 1
                break
        else:
            text.remove()


def _box(
    axes: "Axes", label: Label, place: tuple[int, int, str, str], size: "Bbox", scale: float
) -> "Bbox":
    """Where a name would stand, in pixels."""
    from matplotlib.transforms import Bbox

    right, up, horizontal, vertical = place
    x, y = axes.transData.transform((label.x, label.y))
    x0 = x + right * scale - size.width * _BEFORE[horizontal]
    y0 = y + up * scale - size.height * _BEFORE[vertical]
    return Bbox.from_bounds(x0, y0, size.width, size.height)


def _around(axes: "Axes", label: Label, half: float) -> "Bbox":
    from matplotlib.transforms import Bbox

    x, y = axes.transData.transform((label.x, label.y))
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _within(box: "Bbox", outer: "Bbox") -> bool:
    return bool(
        outer.x0 <= box.x0 and box.x1 <= outer.x1 and outer.y0 <= box.y0 and box.y1 <= outer.y1
    )


def _covers(box: "Bbox", places: NDArray[np.float64]) -> bool:
    x, y = places.T
    return bool(((box.x0 < x) & (x < box.x1) & (box.y0 < y) & (y < box.y1)).any())
