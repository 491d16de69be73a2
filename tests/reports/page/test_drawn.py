"""Figures in the page: no style attributes, which its policy refuses, and nothing of a name's."""

import re
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.style import new_drawing, say
from oodbench.reports.page.drawn import Styles, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

HOSTILE = 'x style="} body { display: none" </style><script>alert(1)</script>'


def plot(text: str) -> "Drawing":
    drawing = new_drawing(80, 60)
    axes = drawing.add_subplot()
    (line,) = axes.plot([0, 1], [1, 0], label=text)
    say(line, text)
    axes.set_title(text)
    axes.imshow([[0, 1], [1, 0]])
    return drawing


def fail() -> "Drawing":
    raise ZeroDivisionError("no runs")


def figure(name: str, draw: "partial[Drawing]") -> Figure:
    table = pd.DataFrame({"model": [HOSTILE, None], "top-1": [0.123456789, float("nan")]})
    return Figure(name, "Section", "Title", "Caption", "Description", table, draw)


def test_styles_become_classes_and_text_stays_text() -> None:
    styles = Styles()
    (found,) = drawn([figure("a", partial(plot, HOSTILE))], styles, [])
    assert not re.search(r"<[^>]* style=", found.svg.replace(HOSTILE.replace("<", "&lt;"), ""))
    assert "<script" not in found.svg
    assert "display: none" not in styles.css
    used = set(re.findall(r'class="(s\d+)"', found.svg))
    assert used == set(re.findall(r"^\.(s\d+) \{", styles.css, re.MULTILINE))
    assert styles.css.count("{") == styles.css.count("}") == len(used)


def test_numbers_are_text_and_what_is_missing_is_a_dash() -> None:
    (found,) = drawn([figure("a", partial(plot, "b"))], Styles(), [])
    assert found.head == [("model", False), ("top-1", True)]
    assert found.rows == [[HOSTILE, "0.123457"], ["–", "–"]]


def test_a_figure_that_cannot_be_drawn_is_named() -> None:
    problems: list[str] = []
    found = drawn([figure("a", partial(fail)), figure("b", partial(plot, "c"))], Styles(), problems)
    assert [one.name for one in found] == ["b"]
    assert problems == ["figure a: ZeroDivisionError: no runs"]
