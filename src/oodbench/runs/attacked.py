"""Attacked runs on disk: their attack and their records."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.metrics.attack_checks import COLUMNS, AttackReport, attack_report
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult

ReadRecords = Callable[[Path, tuple[tuple[str, int], ...]], pd.DataFrame]
"""Folder of records and (split, items) pairs -> the records, see `read_attacked`."""


_LIBRARIES = ("TorchAttack", "FoolboxAttack")
"""Attacks that are judged by what the library returns."""


def attack_class(config: Mapping[str, Any]) -> str:
    """Name of the attack's class, such as `PGD`, empty where there is no attack."""
    target = str(config.get("attack", {}).get("_target_", ""))
    return target.rpartition(".")[2]


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


def read_attacked(directory: Path, counts: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    """Records of all splits, indexed by split, picture and frame."""
    columns = {}
    for split, n_items in counts:
        records = read_split(directory, split, n_items)
        if len(records):
            columns[split] = attack_columns(records)
    return all_splits(columns)


def records_of(result: RunResult, read: ReadRecords) -> pd.DataFrame:
    """Records of a run's scored items."""
    return read(result.directory / "records", tuple(item_counts(result).items()))


def _report(frame: pd.DataFrame, config: Mapping[str, Any]) -> AttackReport | None:
    attack = attack_class(config)
    last_alone = attack in _LIBRARIES or config["attack"].get("early_stop") is False
    if frame.empty:
        return None
    return attack_report(frame, attack, judges_last_alone=last_alone)


def stored_report(records: pd.DataFrame, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Report on one run as it stands in result.json, None where it has no attack or no records.

    Args:
        records: those of the scored items, as `read_attacked` gives them.
        config: of the result.
    """
    report = _report(records, config) if attack_class(config) else None
    return None if report is None else asdict(report)
