import re
from functools import partial
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from figure_runs import HOSTILE

from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.style import INK, new_drawing, say, say_each
from oodbench.reports.figures.svg import svg, svg_file

SVG = "{http://www.w3.org/2000/svg}"


def figure(name: str = "one", words: str = "said of it") -> Figure:
    return Figure(
        name,
        "Section",
        "Title & more",
        "Caption.",
        "Description.",
        pd.DataFrame(),
        partial(_draw, words),
    )


def _draw(words: str):
    drawing = new_drawing(60, 40)
    axes = drawing.add_subplot()
    (mark,) = axes.plot([1], [2], "o", clip_on=True)
    say(mark, words)
    say_each(axes.scatter([1, 2, 3], [3, 2, 1], color=INK, alpha=0.3), ["a", words, "c"])
    say_each(axes.scatter([1, 2], [1, 2], s=[3, 9], color="red"), ["d", "e"])
    axes.set_xlabel(words)
    return drawing


def titles(text: str) -> list[str | None]:
    return [element.text for element in ET.fromstring(text).iter(f"{SVG}title")]


def test_the_same_figure_gives_the_same_text():
    assert svg(figure()) == svg(figure())
    assert svg_file(figure()) == svg_file(figure())


def test_a_page_can_hold_it():
    text = svg(figure())
    assert text.startswith("<svg ")
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Title & more. Description."
    assert "width" not in root.attrib
    assert "height" not in root.attrib
    assert "viewBox" in root.attrib
    assert INK not in text
    assert "currentColor" in text
    assert "font-family" not in text
    found = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not found & {"style", "metadata", "script"}
    assert not re.search(r"\d{4}-\d\d-\d\d", text)


def test_ids_are_of_this_figure_alone_and_lead_somewhere():
    found = []
    for name in ("one", "other"):
        text = svg(figure(name))
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(set(ids)) == len(ids)
        assert all(one.startswith(f"{name}-") for one in ids)
        assert {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)} == {
            *ids
        }
        found += ids
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("words", ["plain", HOSTILE])
def test_marks_have_their_words(words):
    """XML holds no control characters, and attributes no line ends: others stand in."""
    text = words.replace("\x07", "\ufffd").replace("\n", " ")
    assert titles(svg(figure(words=words))) == ["a", text, "c", "d", "e", text]


def test_letters_stay_letters():
    texts = [element.text for element in ET.fromstring(svg_file(figure())).iter(f"{SVG}text")]
    assert "said of it" in texts
