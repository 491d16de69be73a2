"""Write the tables of all runs on disk."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from oodbench.core.columns import aligned
from oodbench.core.errors import DataError
from oodbench.core.files import write_text
from oodbench.reports.attacks.text import report_text
from oodbench.reports.derived import derive
from oodbench.reports.tables.escaping import for_csv, for_markdown
from oodbench.reports.tables.failed import failed_text
from oodbench.reports.tables.long import long_table
from oodbench.reports.tables.wide import WideTable, wide_table
from oodbench.runs.naming.other_names import other_names
from oodbench.runs.paths import tables_directory
from oodbench.runs.results import no_runs, read_results
from oodbench.runs.scoring import rescore
from oodbench.runs.stored_protocol import stored_protocol
from oodbench.runs.unsound import mark_unsound


@dataclass(frozen=True)
class Written:
    """What `write_tables` or `write_attack_report` has made.

    Attributes:
        text: content of table.md, or of attack_report.txt; `failed` where nothing else is.
        files: results.csv, table.csv, table.md; or attack_report.txt.
        problems: one line for every file of a run that could not be used.
        failed: the cells that failed, and why; "" for a report.
    """

    text: str
    files: tuple[Path, ...]
    problems: Sequence[str]
    failed: str = ""


def write_tables(output_root: Path, normaliser: Path | None = None) -> Written:
    """Rewrite `<output_root>/tables/`; the same runs give the same bytes.

    Args:
        output_root: holds `runs/`.
        normaliser: AlexNet's scores on ImageNet-P, see `oodbench.benchmarks.normaliser`.

    Raises:
        DataError: there is no run, or the normaliser file is damaged.
    """
    stored = read_results(output_root)
    results, failures = stored.results, stored.failures
    if not results and not failures:
        raise no_runs(output_root, stored.problems)
    problems = list(stored.problems)
    derived = derive(results, normaliser, problems=problems)
    wide = wide_table(results, failures, derived)
    names = {result.directory: other_names(result.paths) for result in results}
    long = long_table(results, failures, derived, wide.shown, names)
    text = markdown(wide)
    contents = {
        "results.csv": for_csv(long).to_csv(index=False),
        "table.csv": for_csv(wide.frame).to_csv(index=False),
        "table.md": text,
    }
    for name, content in contents.items():
        write_text(tables_directory(output_root) / name, content)
    files = tuple(tables_directory(output_root) / name for name in contents)
    failed = failed_text(failures)
    return Written(text if results else failed, files, problems, failed)


def write_attack_report(output_root: Path) -> Written:
    """Rewrite `<output_root>/tables/attack_report.txt` from the records of all attacked runs.

    Raises:
        DataError: there is no attacked run whose records are whole.
    """
    stored = read_results(output_root)
    damaged: list[str] = []
    text = report_text(stored.results, damaged)
    file = tables_directory(output_root) / "attack_report.txt"
    write_text(file, text)
    return Written(text, (file,), [*stored.problems, *damaged])


def rescore_all(output_root: Path, allowed: Collection[str] = ()) -> list[str]:
    """Score every finished run again from its records; none of them where one is refused.

    A result that cannot be read is left as it is, and so is one whose records are not whole.

    The results keep their times of change: a run does not become the newest by being rescored.

    Args:
        output_root: holds `runs/`.
        allowed: dotted names of classes and scores outside oodbench that results may name.

    Returns:
        One line for every result that was left as it was because of its records.

    Raises:
        DataError: a result names another one.
    """
    problems = []
    results = read_results(output_root).results
    for result in results:
        stored_protocol(result, allowed)
    for result in results:
        file = result.paths.result
        times = file.stat()
        try:
            rescore(result, allowed)
        except DataError as error:
            mark_unsound(result, error)
            problems.append(f"not rescored: {error}")
            continue
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return problems


def markdown(table: WideTable) -> str:
    """The table in Markdown, its columns aligned so that it reads well as plain text too."""
    rows = [list(table.frame.columns), *table.frame.to_numpy().tolist()]
    cells = pd.DataFrame(rows).map(lambda cell: for_markdown(str(cell)))
    bordered = [["", *row, ""] for row in cells.to_numpy().tolist()]
    lines = [line.strip() for line in aligned(bordered, between=" | ")]
    rule = re.sub(r"\\\||[^|]", lambda found: "-" * len(found[0]), lines[0])
    body = "\n".join([lines[0], rule, *lines[1:]])
    return "\n\n".join(filter(None, [table.warning, body, table.caption])) + "\n"
