"""Text of configs and files in tables: what a spreadsheet or Markdown would take for its own."""

import pandas as pd

from oodbench.core.errors import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that spreadsheets take for a formula (OWASP, CSV injection)."""

_MARKDOWN = {"\\": r"\\", "|": r"\|", "`": r"\`", "*": r"\*", "<": "&lt;", "](": r"]\("}
_SPACES = str.maketrans("\n\r\t", "   ")


def for_csv(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text that a spreadsheet would compute."""
    escaped = table.copy(deep=False)
    for name, column in table.items():
        formulas = {cell: f"'{cell}" for cell in column.unique() if _is_formula(cell)}
        if formulas:
            escaped[name] = [formulas.get(cell, cell) for cell in column]
    return escaped


def for_markdown(text: str) -> str:
    """The text so that Markdown shows it as it is, in one cell."""
    text = text.translate(_SPACES)
    for found, instead in _MARKDOWN.items():
        text = text.replace(found, instead)
    return text if text.isprintable() else visible(text)


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(_FORMULA)
