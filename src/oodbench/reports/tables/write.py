"""Write the tables of all runs on disk."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import DataError, failure_line, is_mendable
from oodbench.core.files import write_text, write_together
from oodbench.reports.attacks.text import report_text
from oodbench.reports.derived import Derived, derive
from oodbench.reports.tables.escaping import for_csv, for_markdown
from oodbench.reports.tables.failed import failed_text
from oodbench.reports.tables.formats.markdown import markdown_of
from oodbench.reports.tables.long import long_table
from oodbench.reports.tables.wide import WideTable, wide_table
from oodbench.runs.naming.other_names import other_names
from oodbench.runs.paths import tables_directory
from oodbench.runs.results import RunFailure, RunResult, no_runs, read_results
from oodbench.runs.scoring import rescore
from oodbench.runs.stored_protocol import stored_protocol
from oodbench.runs.unsound import mark_unsound


@dataclass(frozen=True)
class Stored:
    """All that tables are made of.

    Attributes:
        results, failures: of all runs.
        derived: scores that need a second run.
        other_names: further preprocessings that a run stands for, by its folder.
        problems: one line for every file of a run that could not be used.
    """

    results: Sequence[RunResult]
    failures: Sequence[RunFailure]
    derived: Derived
    other_names: Mapping[Path, Sequence[str]]
    problems: Sequence[str]


@dataclass(frozen=True)
class Written:
    """What `write_tables` or `write_attack_report` has made.

    Attributes:
        text: content of table.md, or of attack_report.txt; `failed` where nothing else is.
        files: results.csv, table.csv, table.md; or attack_report.txt.
        problems: one line for every file of a run that could not be used.
        failed: the cells that failed, and why; "" for a report.
        unwritten: why there are no files, such as a full disk; "" where there are.
    """

    text: str
    files: tuple[Path, ...]
    problems: Sequence[str]
    failed: str = ""
    unwritten: str = ""


def read_stored(output_root: Path, normaliser: Path | None = None) -> Stored:
    """All runs below the output root.

    Args:
        output_root: holds `runs/`.
        normaliser: AlexNet's scores on ImageNet-P, see `oodbench.benchmarks.normaliser`.

    Raises:
        DataError: there is no run, or the normaliser file is damaged.
    """
    stored = read_results(output_root)
    if not stored.results and not stored.failures:
        raise no_runs(output_root, stored.problems)
    problems = list(stored.problems)
    derived = derive(stored.results, normaliser, problems=problems)
    names = {result.directory: other_names(result.paths) for result in stored.results}
    return Stored(stored.results, stored.failures, derived, names, problems)


def write_tables(
    output_root: Path, normaliser: Path | None = None, stored: Stored | None = None
) -> Written:
    """Rewrite `<output_root>/tables/`; the same runs give the same bytes.

    Args:
        output_root, normaliser: see `read_stored`.
        stored: what that has read; None: it is read now.

    Raises:
        DataError: there is no run, or the normaliser file is damaged.
    """
    stored = stored or read_stored(output_root, normaliser)
    wide = wide_table(stored.results, stored.failures, stored.derived)
    long = long_table(
        stored.results, stored.failures, stored.derived, wide.shown, stored.other_names
    )
    text = markdown(wide)
    contents = {
        "results.csv": for_csv(long).to_csv(index=False),
        "table.csv": for_csv(wide.frame).to_csv(index=False),
        "table.md": text,
    }
    folder = tables_directory(output_root)
    unwritten = _written({folder / name: content for name, content in contents.items()})
    files = () if unwritten else tuple(folder / name for name in contents)
    failed = failed_text(stored.failures)
    shown = text if stored.results else failed
    return Written(shown, files, stored.problems, failed, unwritten)


def _written(contents: Mapping[Path, str]) -> str:
    """Write all files or none; why not, in one line that the user can act on, else ""."""
    try:
        write_together(
            {path: text.encode("utf-8", "backslashreplace") for path, text in contents.items()}
        )
    except OSError as error:
        if not is_mendable(error):
            raise
        return failure_line(error)
    return ""


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
    cells = [[for_markdown(str(cell)) for cell in row] for row in rows]
    return markdown_of(cells, table.warning, table.caption)
