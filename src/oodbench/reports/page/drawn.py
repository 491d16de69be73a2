"""Figures as parts of a page: drawn, with styles that a strict page allows, and their numbers."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from oodbench.core.errors import OodbenchError
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.svg import svg
from oodbench.reports.tables.cells import ABSENT

_NARROW = 400.0
"""Points: a drawing that is wider has the width of a page of two columns."""

_SAFE = re.compile(r"[\w\s:;.,#%()'+-]*")
"""Declarations of CSS that cannot end their rule."""


@dataclass(frozen=True)
class Drawn:
    """A figure of the page.

    Attributes:
        name, section, title, caption: of the figure.
        svg: the drawing, its styles as classes.
        is_wide: whether it is too wide for a small screen, and scrolled there.
        head, rows: its numbers as text; whether a column is of numbers.
    """

    name: str
    section: str
    title: str
    caption: str
    svg: str
    is_wide: bool
    head: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]


class Styles:
    """Turns the styles of drawings into classes, each once for the whole page."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def name(self, style: str) -> str:
        """The class of a style."""
        return self._classes.setdefault(style, f"s{len(self._classes)}")

    @property
    def css(self) -> str:
        """The rules of all classes."""
        return "\n".join(f".{name} {{ {style} }}" for style, name in self._classes.items())


def drawn(figures: Sequence[Figure], styles: Styles, problems: list[str]) -> list[Drawn]:
    """The figures in their order.

    Args:
        figures: to be drawn.
        styles: gets their styles.
        problems: gets a line for each that cannot be drawn, and that is left out for it.

    Raises:
        OutputError: Matplotlib is not installed.
    """
    found = []
    for figure in figures:
        try:
            text = svg(figure)
        except OodbenchError:
            raise
        except Exception as error:  # one figure of many: the page is worth having without it
            problems.append(f"figure {figure.name}: {type(error).__name__}: {error}")
            continue
        found.append(_drawn(figure, text, styles))
    return found


def _drawn(figure: Figure, text: str, styles: Styles) -> Drawn:
    root = ET.fromstring(text)
    for element in root.iter():
        _style(element, styles)
    width = float(root.get("viewBox", "0 0 500 300").split()[2])
    root.set("width", f"{1.75 * width:.0f}")
    table = figure.table
    numeric = [column.dtype.kind in "iuf" for _, column in table.items()]
    return Drawn(
        figure.name,
        figure.section,
        figure.title,
        figure.caption,
        ET.tostring(root, encoding="unicode"),
        width > _NARROW,
        list(zip(map(str, table.columns), numeric, strict=True)),
        [[_text(value) for value in row] for row in table.itertuples(index=False)],
    )


def _style(element: ET.Element, styles: Styles) -> None:
    """Make a class of an element's style; references become attributes, as styles load nothing."""
    parts = [part.strip() for part in element.attrib.pop("style", "").split(";")]
    for part in parts:
        name, _, value = part.partition(":")
        if value.strip().startswith("url("):
            element.set(name.strip(), value.strip())
    style = "; ".join(part for part in parts if part and "url(" not in part)
    if style and _SAFE.fullmatch(style):
        element.set("class", styles.name(style))


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    return f"{value:.6g}" if isinstance(value, float) else str(value)
