"""Attacked runs on disk: their attack and their records."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.metrics.adversarial import attacked_only
from oodbench.metrics.attack_checks import COLUMNS, attack_report
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult

ReadRecords = Callable[[Path, tuple[tuple[str, int], ...], str], pd.DataFrame]
"""Folder of records, (split, items) pairs and the run's key -> the records: `read_attacked`."""


def item_counts(result: RunResult) -> dict[str, int]:
    """Items of each split that are scored."""
    return {name: int(split["n_items"]) for name, split in result.splits.items()}


def attack_columns(records: pd.DataFrame) -> pd.DataFrame:
    """What the report needs of the records of a split, indexed by picture and frame."""
    known = [column for column in COLUMNS if column in records]
    return records[known].set_index(["image", "frame"])


def all_splits(columns: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`attack_columns` of the splits by name, indexed by split, picture and frame."""
    return pd.concat(columns) if columns else pd.DataFrame()


def read_attacked(
    directory: Path, counts: tuple[tuple[str, int], ...], key: str = ""
) -> pd.DataFrame:
    """Records of all splits, indexed by split, picture and frame.

    Raises:
        DataError: a chunk is missing, damaged or of another run, see `read_split`.
    """
    columns = {}
    for split, n_items in counts:
        records = read_split(directory, split, n_items, key=key)
        if len(records):
            columns[split] = attack_columns(records)
    return all_splits(columns)


def records_of(result: RunResult, read: ReadRecords) -> pd.DataFrame:
    """Records of a run's scored items."""
    return read(result.paths.records, tuple(item_counts(result).items()), result.key)


def stored_report(records: pd.DataFrame, traits: AttackTraits | None) -> dict[str, Any] | None:
    """Report on one run as it stands in result.json, None where it has no attack or no records.

    Args:
        records: those of the scored items, as `read_attacked` gives them.
        traits: of the run's attack, None where there is none.
    """
    if traits is None or attacked_only(records).empty:
        return None
    return asdict(attack_report(records, traits))
