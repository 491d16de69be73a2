"""An HTML page of the listed pictures, in one file that needs nothing else."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from oodbench.core.errors import ConfigError, OodbenchError, one_line, visible
from oodbench.core.extras import install_extra
from oodbench.reports.mistakes.pictures import jpeg, thumbnail
from oodbench.reports.mistakes.rows import Listing, Row, summary, title

_MOST = 8_000_000
"""Bytes of all pictures of a page, as they stand in it."""

_FULL = "left out: the page is full"


@dataclass
class _Room:
    """What of `_MOST` is left."""

    left: int


def gallery(listed: Sequence[Listing], side: int, note: str) -> str:
    """The page. Pictures that are gone, or for which there is no room, are named and explained.

    Args:
        listed: what it shows.
        side: most pixels of a picture's longer side.
        note: what was asked for, one line.

    Raises:
        ConfigError: Jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise ConfigError(f"--html: Jinja2 is not installed: {install_extra('report')}") from None
    text = files(__package__).joinpath("gallery.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    room = _Room(_MOST)
    page: str = environment.from_string(text).render(
        lists=[_list(one, side, room) for one in listed], note=visible(note), side=side
    )
    return page


def _list(one: Listing, side: int, room: _Room) -> dict[str, Any]:
    return {
        "title": visible(title(one.mistakes)),
        "summary": summary(one.mistakes),
        "rows": list(_rows(one, side, room)),
    }


def _rows(one: Listing, side: int, room: _Room) -> Iterator[dict[str, Any]]:
    sides = ("A", "B") if len(one.mistakes.runs) == 2 else ("predicted",)
    for row in one.rows:
        yield {
            "true": row.true,
            "answers": list(zip(sides, row.answers, strict=True)),
            "place": visible(row.place),
            **_picture(one, row, side, room),
        }


def _picture(one: Listing, row: Row, side: int, room: _Room) -> dict[str, str]:
    """The picture as the address of an `img`, or why there is none."""
    if not row.is_there:
        return {"address": "", "reason": "it is gone"}
    if room.left <= 0:
        return {"address": "", "reason": _FULL}
    try:
        content = jpeg(thumbnail(one.pictures.load(row.stored), side))
    except OodbenchError as error:
        return {"address": "", "reason": visible(one_line(error))}
    encoded = base64.b64encode(content).decode("ascii")
    room.left -= len(encoded)
    if room.left <= 0:
        return {"address": "", "reason": _FULL}
    return {"address": f"data:image/jpeg;base64,{encoded}", "reason": ""}
