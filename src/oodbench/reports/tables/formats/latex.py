r"""A table in LaTeX, for the packages booktabs and textcomp: to be read in with \input."""

import re
from collections.abc import Iterable

from oodbench.core.errors import visible
from oodbench.reports.tables.view import Cell, View

_MARKS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "…": r"\dots{}",
}
"""Characters that LaTeX takes for its own, and those of other encodings that it has."""

_NOT_JOINED = re.compile("([-,])(?=\\1)")
"""A hyphen or comma before another one, which fonts would join; `visible` leaves no NUL."""


def text_of(view: View) -> str:
    r"""A `table` environment; the best cells are bold.

    Labels are aligned at the left and cells at the right. A character that LaTeX's usual fonts lack
    stands as `U+4E2D`.
    """
    columns = "l" * len(view.labels) + "r" * len(view.columns)
    rows = [_row([*map(for_latex, labels), *map(_cell, cells)]) for labels, cells in view.rows]
    warning = f"\\textbf{{{for_latex(view.warning)}}} " if view.warning else ""
    lines = [
        "% Needs \\usepackage{booktabs}, and \\usepackage[T1]{fontenc}.",
        "\\begin{table}",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{warning}{for_latex(view.caption)}}}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _row(map(for_latex, view.headings)),
        "\\midrule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def for_latex(text: str) -> str:
    """The text so that LaTeX shows it as it is, on one line."""
    escaped = "".join(_escaped(mark) for mark in _NOT_JOINED.sub(r"\1\0", visible(text)))
    # What follows the end of a row must not begin like one of its arguments.
    return f"{{}}{escaped}" if text.startswith(("[", "*")) else escaped


def _escaped(mark: str) -> str:
    if mark == "\0":
        return "{}"
    return _MARKS.get(mark, mark if _is_usual(mark) else _named(mark))


def _is_usual(mark: str) -> bool:
    """Whether the fonts of the encoding T1 have it: Latin letters with their accents."""
    return mark.isascii() or ("\u00c0" <= mark <= "\u017e" and mark not in _NOT_IN_T1)


_NOT_IN_T1 = "\u00d7\u00f7\u0126\u0127\u0138\u013f\u0140\u0149\u0166\u0167"


def _named(mark: str) -> str:
    return f"U+{ord(mark):04X}"


def _row(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: Cell) -> str:
    text = for_latex(cell.text)
    return f"\\textbf{{{text}}}" if cell.best else text
