"""summary.json beside a run's result: written when it is scored, made once where it is missing."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from oodbench.core.checksum import agrees, checksum, write_checked
from oodbench.core.errors import DataError
from oodbench.core.files import read_json
from oodbench.core.progress import Progress
from oodbench.metrics.adversarial import attacked_only
from oodbench.runs.attacked import item_counts
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult, result_content
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.summary import Summary, content_of, summary_from
from oodbench.runs.unsound import mark_unsound

SCHEMA = 1
"""Of summary.json; goes up when the same records would give another one."""

_GROUNDS = ("key", "splits", "scores")
"""Fields of a result that are others where its records are."""


def write_summary(paths: RunPaths, result: RunResult, summary: Summary) -> None:
    """Write summary.json atomically, with its schema, its checksum and what it rests on.

    Args:
        paths: of the run.
        result: of the same records.
        summary: of them.
    """
    content = {"schema": SCHEMA, "rests_on": _grounds(result), **content_of(summary)}
    write_checked(paths.summary, content)


def summaries(
    results: Sequence[RunResult], problems: list[str] | None = None
) -> dict[Path, Summary]:
    """The summaries of finished runs, by their folders.

    Those that are missing, damaged, of another schema or of other records are made from the records
    and kept, with a progress bar; a folder that cannot be written is no error.

    Args:
        results: read from disk.
        problems: gets a line for every run whose records are damaged or missing, and that is left
            out for it; None: such a run is an error.

    Raises:
        DataError: records are damaged or missing; one line that names the file.
    """
    found = {result.directory: _read(result) for result in results}
    missing = [result for result in results if found[result.directory] is None]
    with Progress(sum(map(_n_items, missing)), "summaries") as progress:
        for result in missing:
            try:
                found[result.directory] = _made(result)
            except DataError as error:
                mark_unsound(result, error)
                if problems is None:
                    raise
                problems.append(f"no summary: {error}")
            progress.advance(_n_items(result))
    return {folder: summary for folder, summary in found.items() if summary is not None}


def _read(result: RunResult) -> Summary | None:
    """The stored summary of the result's records; None where there is none."""
    with suppress(OSError, KeyError, TypeError, ValueError, AttributeError):
        content = read_json(result.paths.summary)
        if agrees(content) and content.pop("schema") == SCHEMA:
            return summary_from(content) if content.pop("rests_on") == _grounds(result) else None
    return None


def _made(result: RunResult) -> Summary:
    collector = Collector(result.attack_traits)
    columns: list[str] | None = None
    for split, n_items in item_counts(result).items():
        records = read_split(result.paths.records, split, n_items, columns=columns, key=result.key)
        columns = columns or _used(records) or None
        kept = attacked_only(records) if len(records) else records
        if len(kept):
            collector.add(kept)
    summary = collector.summary()
    with suppress(OSError):
        write_summary(result.paths, result, summary)
    return summary


def _used(records: pd.DataFrame) -> list[str]:
    """The columns of a run's splits without those that are slow to read and tell nothing."""
    unused = {"position", "top5"} if "shape" in records else {"position", "top5", "image"}
    return [name for name in map(str, records) if name not in unused]


def _grounds(result: RunResult) -> str:
    content = result_content(result)
    text = json.dumps({name: content[name] for name in _GROUNDS})
    return checksum(json.loads(text, parse_int=float))  # a score of 0 is read back as 0.0


def _n_items(result: RunResult) -> int:
    return sum(item_counts(result).values())
