"""A table for a narrow terminal: a block for each row."""

from textwrap import wrap

from oodbench.core.columns import aligned
from oodbench.core.errors import visible
from oodbench.reports.tables.cells import ABSENT
from oodbench.reports.tables.view import View

_NARROWEST = 20


def text_of(view: View, width: int) -> str:
    """A line for each cell that has something, below what tells the row apart.

    Args:
        view: the table; the best cells have an asterisk.
        width: of a line of warning and caption, in characters; cells are not broken.
    """
    width = max(width, _NARROWEST)
    blocks = ["\n".join(wrap(view.warning, width))]
    for labels, cells in view.rows:
        lines = [
            (f"  {visible(column.heading)}", f"{visible(cell.text)}{' *' if cell.best else ''}")
            for column, cell in zip(view.columns, cells, strict=True)
            if cell.text != ABSENT
        ]
        blocks.append("\n".join([visible(", ".join(labels)), *(aligned(lines) if lines else [])]))
    caption = view.caption.replace("Bold:", "*:")
    return "\n\n".join(filter(None, [*blocks, "\n".join(wrap(caption, width))])) + "\n"
