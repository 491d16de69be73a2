"""Write what comparisons say below the output root."""

from pathlib import Path

from oodbench.core.files import write_text
from oodbench.reports.comparisons.spread import spreads
from oodbench.reports.comparisons.spread_text import frame_of, text_of
from oodbench.reports.tables.escaping import for_csv
from oodbench.reports.tables.write import Written
from oodbench.runs.paths import tables_directory


def write_spread(output_root: Path, field: str) -> Written:
    """Rewrite `<output_root>/tables/spread_<field>.csv`.

    Args:
        output_root: holds `runs/`.
        field: see `oodbench.reports.comparisons.spread.spreads`.

    Raises:
        DataError: there are no two runs that differ in the field alone.
    """
    found = spreads(output_root, field)
    file = tables_directory(output_root) / f"spread_{field}.csv"
    write_text(file, for_csv(frame_of(found)).to_csv(index=False))
    return Written(text_of(found), (file,), found.problems)
