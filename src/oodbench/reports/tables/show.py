"""The table that is asked for, as text."""

from oodbench.core.errors import printable
from oodbench.reports.tables.against import set_against
from oodbench.reports.tables.arranging import arranged
from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.best import with_best
from oodbench.reports.tables.formats.choose import FORMATS
from oodbench.reports.tables.formats.terminal import text_of
from oodbench.reports.tables.view import View
from oodbench.reports.tables.wide import wide_view
from oodbench.reports.tables.write import Stored


def asked_view(stored: Stored, asked: Asked, problems: list[str]) -> View:
    """The table that is asked for.

    Args:
        stored: all runs.
        asked: which cells, and how.
        problems: gets a line for every run whose records were needed and cannot be used.

    Raises:
        ConfigError: no run, metric, column or partner is of a name that is asked for.
    """
    view = wide_view(stored.results, stored.failures, stored.derived, asked, stored.other_names)
    if asked.against is not None:
        view = set_against(view, asked.against, problems)
    view = arranged(view, asked)
    return with_best(view, problems) if asked.best else view


def shown_text(view: View, format_name: str | None, width: int | None) -> str:
    """The table as text that any file takes.

    Args:
        view: the table.
        format_name: one of `FORMATS`; None: Markdown, or blocks where that is too wide.
        width: of the terminal in characters; None: there is none.
    """
    if format_name is not None:
        return printable(FORMATS[format_name](view))
    text = FORMATS["md"](view)
    return printable(text if fits(text, width) else text_of(view, width or 0))


def fits(text: str, width: int | None) -> bool:
    """Whether a table in Markdown is no wider than the terminal; its other lines may be broken."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return width is None or max(map(len, rows), default=0) <= width
