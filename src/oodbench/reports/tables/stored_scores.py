"""All scores of all runs on disk, as Python programs want them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from oodbench.reports.derived import derive
from oodbench.reports.tables.long import long_table
from oodbench.reports.tables.wide import wide_table
from oodbench.runs.naming.other_names import other_names
from oodbench.runs.paths import RunPaths
from oodbench.runs.results import no_runs, read_results


@dataclass(frozen=True)
class StoredScores:
    """What is on disk below an output root.

    Attributes:
        table: as `long_table` has it, and `directory`, the folder of each row's run.
        problems: one line for every file of a run that could not be used.
    """

    table: pd.DataFrame
    problems: Sequence[str]


def stored_scores(output_root: Path) -> StoredScores:
    """The rows of `results.csv`; no file is written.

    Raises:
        DataError: there is no run.
    """
    stored = read_results(output_root)
    results, failures = stored.results, stored.failures
    if not results and not failures:
        raise no_runs(output_root, stored.problems)
    problems = list(stored.problems)
    derived = derive(results, None, problems=problems)
    shown = wide_table(results, failures, derived).shown
    names = {result.directory: other_names(result.paths) for result in results}
    table = long_table(results, failures, derived, shown, names)
    places = [
        str(RunPaths.of(output_root, benchmark, model, key).directory)
        for benchmark, model, key in zip(
            table["benchmark"], table["model"], table["key"], strict=True
        )
    ]
    return StoredScores(table.assign(directory=places), problems)
