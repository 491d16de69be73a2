"""Which formats there are."""

from collections.abc import Callable, Mapping
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.reports.tables.formats import csv, html, json, latex, markdown, model_index
from oodbench.reports.tables.view import View

FORMATS: Mapping[str, Callable[[View], str]] = {
    "md": markdown.text_of,
    "csv": csv.text_of,
    "html": html.text_of,
    "latex": latex.text_of,
    "json": json.text_of,
    "model-index": model_index.text_of,
}

_BY_SUFFIX = {
    ".md": "md",
    ".csv": "csv",
    ".html": "html",
    ".htm": "html",
    ".tex": "latex",
    ".json": "json",
    ".yaml": "model-index",
    ".yml": "model-index",
}


def names_format(file: Path) -> bool:
    """Whether a file's name asks for one."""
    return file.suffix.lower() in _BY_SUFFIX


def format_of(file: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        ConfigError: it asks for none.
    """
    if (found := _BY_SUFFIX.get(file.suffix.lower())) is None:
        raise ConfigError(
            f"--out {file}: add --format {'|'.join(FORMATS)}, or a suffix of these: "
            f"{', '.join(_BY_SUFFIX)}"
        )
    return found
