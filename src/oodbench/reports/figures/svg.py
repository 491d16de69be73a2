"""SVG of a figure for a page: no ids that another figure has, no size, the page's own ink."""

import re
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from oodbench.core.errors import printable
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.style import INK, SAID, SAID_EACH, SEPARATOR, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_LINES = "stroke-linejoin: round; stroke-linecap: butt"
"""What Matplotlib says in a style sheet, which would hold for the whole page."""

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")

_CONTROL = dict.fromkeys({*range(32), 127} - {9, 10, 13, ord(SEPARATOR)}, "\ufffd")


def svg(figure: Figure) -> str:
    """The figure as an `svg` element for a page of HTML; the same figure gives the same text.

    It is as wide as its place, letters take the font of the page, axes and letters its colour
    (`currentColor`). Marks have titles. Ids begin with the figure's name.

    Args:
        figure: to be drawn.

    Raises:
        OutputError: Matplotlib is not installed.
    """
    root = _tree(figure)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", f"{figure.title}. {figure.description}")
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", _for_page(style))
    return ET.tostring(root, encoding="unicode")


def svg_file(figure: Figure) -> str:
    """The figure as a file of its own, of the size in which it is meant to be printed."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(_tree(figure), "unicode") + "\n"


def _tree(figure: Figure) -> ET.Element:
    with styled(figure.name):
        drawing = figure.draw()
        content = _written(drawing)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(content)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    root.set("style", _LINES)
    _title_marks(root)
    _rename(root, figure.name)
    for element in root.iter():
        _shorten(element)
    return root


def _written(drawing: "Drawing") -> bytes:
    from matplotlib.text import Text

    for artist in drawing.findobj():
        if gid := artist.get_gid():
            artist.set_gid(printable(str(gid)).translate(_CONTROL))
        if isinstance(artist, Text):
            artist.set_text(printable(artist.get_text()).translate(_CONTROL))
    buffer = BytesIO()
    drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue().replace(SEPARATOR.encode(), _STAND_IN.encode())


_STAND_IN = "\ue000"
"""For `SEPARATOR`, which XML cannot hold: a character of private use."""


def _title_marks(root: ET.Element) -> None:
    """Give marks the titles that their gids hold, in the place of their ids."""
    for element in root.iter():
        gid = element.get("id", "")
        if gid.startswith(SAID):
            del element.attrib["id"]
            _title(element, gid.removeprefix(SAID))
        elif gid.startswith(SAID_EACH):
            del element.attrib["id"]
            texts = gid.removeprefix(SAID_EACH).split(_STAND_IN)
            marks = [mark for mark in element.iter() if _is_mark(mark)]
            for mark, text in zip(marks, texts, strict=False):
                _title(mark, text)


def _is_mark(element: ET.Element) -> bool:
    """Whether it draws a member of a collection, which is a reference or a path with a style."""
    drawn = element.tag == f"{{{_SVG}}}path" and "style" in element.attrib
    return element.tag == f"{{{_SVG}}}use" or (drawn and "id" not in element.attrib)


def _title(element: ET.Element, text: str) -> None:
    title = ET.Element(f"{{{_SVG}}}title")
    title.text = text
    element.insert(0, title)


def _rename(root: ET.Element, name: str) -> None:
    """Ids that something refers to begin with the figure's name; the others are taken away."""
    used: dict[str, str] = {}
    for element in root.iter():
        found = _REFERENCE.findall(" ".join(element.attrib.values()))
        if element.get(_HREF, "").startswith("#"):
            found.append(element.attrib[_HREF][1:])
        for one in found:
            used.setdefault(one, f"{name}-{len(used)}")
    for element in root.iter():
        if new := used.get(element.attrib.pop("id", "")):
            element.set("id", new)
        if element.get(_HREF, "").startswith("#"):
            element.set(_HREF, f"#{used[element.attrib[_HREF][1:]]}")
        for attribute, value in element.attrib.items():
            if "url(#" in value:
                element.set(
                    attribute, _REFERENCE.sub(lambda found: f"url(#{used[found[1]]})", value)
                )


def _shorten(element: ET.Element) -> None:
    """Numbers in hundredths of a point; a style that all members of a group share said once."""
    for attribute in ("d", "x", "y", "points", "transform"):
        if attribute in element.attrib:
            element.set(attribute, _NUMBER.sub(_hundredths, element.attrib[attribute]))
    if "d" in element.attrib:
        element.set("d", " ".join(element.attrib["d"].split()))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    styles = {child.get("style") for child in element}
    if element.tag == f"{{{_SVG}}}g" and len(element) > 1 and len(styles) == 1:
        (style,) = styles
        if style is not None and "style" not in element.attrib:
            element.set("style", style)
            for child in element:
                del child.attrib["style"]


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _for_page(style: str) -> str:
    """A style in the page's ink and font."""
    parts = (part.strip() for part in style.split(";"))
    kept = [part for part in parts if not part.startswith("font-family:")]
    return "; ".join(kept).replace(INK, "currentColor")
