"""Attacked runs on disk: their attack and their records."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.metrics.attack_checks import COLUMNS, AttackReport, attack_report
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult

ReadRecords = Callable[[Path, tuple[tuple[str, int], ...]], pd.DataFrame]
"""Folder of records and (split, items) pairs -> the records, see `read_attacked`."""


def item_counts(result: RunResult) -> dict[str, int]:
    """Items of each split that are scored."""
    return {name: int(split["n_items"]) for name, split in result.splits.items()}


def read_attacked(directory: Path, counts: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    """Records of all splits, indexed by split, picture and frame."""
    frames = {}
    for split, n_items in counts:
        frame = read_split(directory, split, n_items)
        if len(frame):
            known = [column for column in COLUMNS if column in frame]
            frames[split] = frame[known].set_index(["image", "frame"])
    return pd.concat(frames) if frames else pd.DataFrame()


def records_of(result: RunResult, read: ReadRecords) -> pd.DataFrame:
    """Records of a run's scored items."""
    return read(result.directory / "records", tuple(item_counts(result).items()))


def report_of(
    records: Path, counts: Mapping[str, int], traits: AttackTraits | None
) -> AttackReport | None:
    """Report on one run's records, None where it has no attack or no records.

    Args:
        records: the run's folder of records.
        counts: by split, how many items were scored.
        traits: of the run's attack.
    """
    if traits is None:
        return None
    frame = read_attacked(records, tuple(counts.items()))
    return None if frame.empty else attack_report(frame, traits)


def stored_report(
    records: Path, counts: Mapping[str, int], traits: AttackTraits | None
) -> dict[str, Any] | None:
    """`report_of` as it stands in result.json."""
    report = report_of(records, counts, traits)
    return None if report is None else asdict(report)
