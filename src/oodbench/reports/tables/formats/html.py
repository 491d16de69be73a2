"""A table in HTML: one page without scripts, which needs nothing else."""

from html import escape

from oodbench.core.errors import visible
from oodbench.reports.tables.view import Cell, View

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { caption-side: bottom; max-width: 50rem; padding-top: .75rem; text-align: left; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; }
td { font-variant-numeric: tabular-nums; }
th[scope=row], thead th:first-child { text-align: left; }
th[scope=row] { font-weight: 400; }
thead, tbody { border-bottom: 1px solid; }
thead { border-top: 2px solid; }"""


def text_of(view: View) -> str:
    """The page; the best cells are bold."""
    head = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in view.headings)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><title>oodbench</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>\n{_STYLE}\n</style></head>",
        "<body>",
        *([f"<p><strong>{_text(view.warning)}</strong></p>"] if view.warning else []),
        '<div class="scroll" role="region" aria-label="Results" tabindex="0"><table>',
        f"<caption>{_text(view.caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *(
            "<tr>"
            + "".join(f'<th scope="row">{_text(label)}</th>' for label in labels)
            + "".join(f"<td>{_cell(cell)}</td>" for cell in cells)
            + "</tr>"
            for labels, cells in view.rows
        ),
        "</tbody></table></div>",
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def _cell(cell: Cell) -> str:
    text = _text(cell.text)
    return f"<b>{text}</b>" if cell.best else text


def _text(text: str) -> str:
    return escape(visible(text))
