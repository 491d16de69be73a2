"""Write what comparisons say below the output root."""

from collections.abc import Callable
from pathlib import Path

from oodbench.core.errors import printable
from oodbench.core.files import json_text, write_text
from oodbench.reports.comparisons.spread import Spreads, only, spreads
from oodbench.reports.comparisons.spread_text import content_of, frame_of, text_of
from oodbench.reports.tables.escaping import for_csv
from oodbench.reports.tables.write import Written
from oodbench.runs.paths import tables_directory
from oodbench.runs.results import RunResult

SPREAD_FORMATS = ("csv", "json")
"""Forms of a spread beside text."""


def write_spread(
    output_root: Path,
    field: str,
    format_name: str | None = None,
    wanted: Callable[[RunResult], bool] = lambda _: True,
) -> Written:
    """Rewrite `<output_root>/tables/spread_<field>.csv`, which has all models and benchmarks.

    Args:
        output_root: holds `runs/`.
        field: see `oodbench.reports.comparisons.spread.spreads`.
        format_name: of the text that is given back; None: lines for the terminal.
        wanted: which runs that is of.

    Raises:
        DataError: there are no two runs that differ in the field alone.
    """
    every = spreads(output_root, field)
    file = tables_directory(output_root) / f"spread_{field}.csv"
    write_text(file, _csv(every))
    found = only(every, wanted)
    if format_name is None:
        return Written(text_of(found), (file,), found.problems)
    text = _csv(found) if format_name == "csv" else json_text(content_of(found))
    return Written(printable(text), (), found.problems)


def _csv(found: Spreads) -> str:
    return for_csv(frame_of(found)).to_csv(index=False)
