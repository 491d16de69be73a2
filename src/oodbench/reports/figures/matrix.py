"""Cells in colours, with their numbers where there is place."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oodbench.reports.figures.style import say_each

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

_MAP = "YlGnBu"
"""From light to dark, also in grey and for all kinds of colour vision (ColorBrewer)."""

_LIGHT, _DARK = "#ffffff", "#000000"


@dataclass(frozen=True)
class Scale:
    """What the lightest and the darkest colour stand for."""

    low: float
    high: float

    def mappable(self) -> "ScalarMappable":
        """For a colour bar."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        return ScalarMappable(Normalize(self.low, self.high), colormaps[_MAP])


def scale_of(values: NDArray[np.float64]) -> Scale:
    """From the smallest to the largest number."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Scale(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    return Scale(low, high if high > low else low + 1.0)


def draw_matrix(
    axes: "Axes",
    values: NDArray[np.float64],
    words: Sequence[str],
    scale: Scale,
    *,
    numbers: str = "",
    size: float = 5.5,
) -> None:
    """Draw cells, the first row at the top; NaN are empty.

    Args:
        axes: without anything else.
        values: `(rows, columns)`.
        words: what is said of each cell, row by row, those of NaN too.
        scale: of the colours.
        numbers: format of the numbers in the cells; "": none.
        size: of their letters, points.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    colours = scale.mappable()
    rows, columns = values.shape
    shown = [(row, column) for row in range(rows) for column in range(columns)]
    shown = [(row, column) for row, column in shown if not math.isnan(values[row, column])]
    cells = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in shown]
    faces = [colours.to_rgba(values[place]) for place in shown]
    collection = PatchCollection(cells, facecolors=faces, edgecolors=faces, linewidths=0.2)
    say_each(collection, [words[row * columns + column] for row, column in shown])
    axes.add_collection(collection)
    if numbers:
        for (row, column), face in zip(shown, faces, strict=True):
            axes.text(
                column,
                row,
                format(values[row, column], numbers),
                ha="center",
                va="center",
                fontsize=size,
                color=_DARK if _luminance(face) > 0.2 else _LIGHT,
            )
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _luminance(colour: Iterable[float]) -> float:
    """Relative luminance, 0 to 1 (WCAG 2)."""
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in list(colour)[:3]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
