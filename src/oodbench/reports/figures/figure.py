"""A figure of a report: its drawing, its words, and the numbers that it draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Figure:
    """One figure, drawn when it is asked for.

    Attributes:
        name: of its files and of its place in a page, such as `effective_robustness_imagenet_r`:
            lower-case letters, digits and underscores, of no other figure.
        section: heading that it stands below.
        title: one line.
        caption: how to read it, with the source of the method; plain text.
        description: what it shows, in words, for those who do not see it.
        table: the numbers that are drawn, one row a mark, for those who want them exactly.
        draw: makes the drawing, in the style of `oodbench.reports.figures.style`.
    """

    name: str
    section: str
    title: str
    caption: str
    description: str
    table: pd.DataFrame
    draw: Callable[[], "Drawing"]
