"""Write the tables of all runs on disk."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from oodbench.core.errors import DataError
from oodbench.core.files import write_text
from oodbench.reports.attacks.text import report_text
from oodbench.reports.derived import derive
from oodbench.reports.tables.long import long_table
from oodbench.reports.tables.wide import WideTable, wide_table
from oodbench.runs.paths import runs_directory, tables_directory
from oodbench.runs.results import read_failures, read_results


@dataclass(frozen=True)
class Written:
    """What `write_tables` or `write_attack_report` has made.

    Attributes:
        text: content of table.md, or of attack_report.txt.
        files: results.csv, table.csv, table.md; or attack_report.txt.
    """

    text: str
    files: tuple[Path, ...]


def write_tables(output_root: Path, normaliser: Path | None = None) -> Written:
    """Rewrite `<output_root>/tables/`; the same runs give the same bytes.

    Args:
        output_root: holds `runs/`.
        normaliser: AlexNet's scores on ImageNet-P, see `oodbench.reports.derived.read_normaliser`.

    Raises:
        DataError: there is no run, or the normaliser file is damaged.
    """
    results, failures = read_results(output_root), read_failures(output_root)
    if not results and not failures:
        raise DataError(
            f"no finished run below {runs_directory(output_root)}; run oodbench model=… first"
        )
    derived = derive(results, normaliser)
    wide = wide_table(results, failures, derived)
    text = markdown(wide)
    contents = {
        "results.csv": long_table(results, failures, derived).to_csv(index=False),
        "table.csv": wide.frame.to_csv(index=False),
        "table.md": text,
    }
    for name, content in contents.items():
        write_text(tables_directory(output_root) / name, content)
    return Written(text, tuple(tables_directory(output_root) / name for name in contents))


def write_attack_report(output_root: Path) -> Written:
    """Rewrite `<output_root>/tables/attack_report.txt` from the records of all attacked runs.

    Raises:
        DataError: there is no attacked run, or records are damaged.
    """
    text = report_text(read_results(output_root))
    file = tables_directory(output_root) / "attack_report.txt"
    write_text(file, text)
    return Written(text, (file,))


def rescore_all(output_root: Path) -> None:
    """Score every finished run again from its records.

    The results keep their times of change: a run does not become the newest by being rescored.
    """
    from oodbench.runs.scoring import rescore  # it imports torch, which the tables do without

    for result in read_results(output_root):
        file = result.directory / "result.json"
        times = file.stat()
        rescore(result)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def markdown(table: WideTable) -> str:
    """The table in Markdown, its columns aligned so that it reads well as plain text too."""
    rows = [list(table.frame.columns), *table.frame.to_numpy().tolist()]
    cells = pd.DataFrame(rows).map(lambda cell: str(cell).replace("|", r"\|"))
    widths = [int(cells[column].str.len().max()) for column in cells]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells.to_numpy().tolist()
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    body = "\n".join([lines[0], rule, *lines[1:]])
    return "\n\n".join(filter(None, [table.warning, body, table.caption])) + "\n"
