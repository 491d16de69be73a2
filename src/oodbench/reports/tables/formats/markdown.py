"""A table in Markdown, which reads well as plain text too."""

import re
from collections.abc import Sequence

from oodbench.core.columns import aligned
from oodbench.reports.tables.escaping import for_markdown
from oodbench.reports.tables.view import View


def text_of(view: View) -> str:
    """The table with warning and caption; the best cells are bold."""
    rows = [
        [
            *map(for_markdown, labels),
            *(
                f"**{for_markdown(cell.text)}**" if cell.best else for_markdown(cell.text)
                for cell in cells
            ),
        ]
        for labels, cells in view.rows
    ]
    headings = [for_markdown(heading) for heading in view.headings]
    return markdown_of([headings, *rows], view.warning, view.caption)


def markdown_of(rows: Sequence[Sequence[str]], warning: str, caption: str) -> str:
    """A table whose cells are Markdown already, the first row its head, in aligned columns."""
    bordered = [["", *row, ""] for row in rows]
    lines = [line.strip() for line in aligned(bordered, between=" | ")]
    rule = re.sub(r"\\\||[^|]", lambda found: "-" * len(found[0]), lines[0])
    body = "\n".join([lines[0], rule, *lines[1:]])
    return "\n\n".join(filter(None, [warning, body, caption])) + "\n"
