"""A contact sheet: all listed pictures on one picture."""

from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw, ImageFont

from oodbench.core.errors import OodbenchError, visible
from oodbench.reports.mistakes.pictures import thumbnail
from oodbench.reports.mistakes.rows import Listing, Row, summary, title

_COLUMNS = 6
_GAP = 8
_LINE = 15
"""Pixels from one line of text to the next."""

_HEAD = 2 * _LINE + 3 * _GAP
"""Of a list's heading."""

_MOST = 60_000_000
"""Pixels of a sheet: 180 MB in memory."""

_PAPER, _INK, _GREY, _WRONG, _RIGHT = "#ffffff", "#1a1a1a", "#e4e4e4", "#a3190f", "#1c6b2c"


def contact_sheet(listed: Sequence[Listing], side: int) -> tuple[Image.Image, int]:
    """The pictures of all lists in rows, each above its true class and what was predicted.

    Args:
        listed: at least one.
        side: most pixels of a picture's longer side.

    Returns:
        The sheet, and how many pictures are left out as it would be too large with them.
    """
    bands, n_left_out, height = [], 0, 0
    for one in listed:
        room = max(0, _MOST // _width(side) - height - _HEAD) // _cell_height(one, side)
        shown = one.rows[: room * _COLUMNS]
        n_left_out += len(one.rows) - len(shown)
        bands.append(_band(one, shown, side))
        height += bands[-1].height
    sheet = Image.new("RGB", (_width(side), height), _PAPER)
    top = 0
    for band in bands:
        sheet.paste(band, (0, top))
        top += band.height
    return sheet, n_left_out


def _width(side: int) -> int:
    return _GAP + _COLUMNS * (side + _GAP)


def _cell_height(one: Listing, side: int) -> int:
    """A picture, the true class, what each run predicted."""
    return side + (1 + len(one.mistakes.runs)) * _LINE + 2 * _GAP


def _band(one: Listing, shown: Sequence[Row], side: int) -> Image.Image:
    """The heading of a list and its pictures."""
    head = _HEAD
    n_lines = -(-len(shown) // _COLUMNS)
    band = Image.new("RGB", (_width(side), head + n_lines * _cell_height(one, side)), _PAPER)
    draw = ImageDraw.Draw(band)
    for number, text in enumerate((title(one.mistakes), summary(one.mistakes))):
        _write(draw, (_GAP, _GAP + number * _LINE), text, band.width - 2 * _GAP, _INK)
    for number, row in enumerate(shown):
        left = _GAP + number % _COLUMNS * (side + _GAP)
        top = head + number // _COLUMNS * _cell_height(one, side)
        _cell(band, draw, one, row, (left, top), side)
    return band


def _cell(
    band: Image.Image,
    draw: ImageDraw.ImageDraw,
    one: Listing,
    row: Row,
    place: tuple[int, int],
    side: int,
) -> None:
    left, top = place
    try:
        small = thumbnail(one.pictures.load(row.stored), side)
    except OodbenchError:
        draw.rectangle((left, top, left + side - 1, top + side - 1), fill=_GREY)
        _write(draw, (left + _GAP, top + side // 2), "no picture", side - 2 * _GAP, _INK)
    else:
        band.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
    for number, (text, colour) in enumerate(_labels(row)):
        _write(draw, (left, top + side + 4 + number * _LINE), text, side, colour)


def _labels(row: Row) -> Iterator[tuple[str, str]]:
    yield row.true, _INK
    names = ("A: ", "B: ") if len(row.answers) == 2 else ("",)
    for name, answer in zip(names, row.answers, strict=True):
        yield f"{name}{answer}", _RIGHT if answer.right else _WRONG


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int, colour: str
) -> None:
    """Text of at most so many pixels; what is longer is cut. The font has Latin letters alone."""
    font = ImageFont.load_default(size=12)
    text = visible(text).replace("×", "x")
    if draw.textlength(text, font) > width:
        while text and draw.textlength(f"{text}...", font) > width:
            text = text[:-1]
        text += "..."
    draw.text(place, text, fill=colour, font=font)
