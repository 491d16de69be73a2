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
    records: Path, counts: Mapping[str, int], config: Mapping[str, Any]
) -> AttackReport | None:
    """Report on one run's records, None where it has no attack or no records.

    Args:
        records: the run's folder of records.
        counts: by split, how many items were scored.
        config: of the result.
    """
    if not attack_class(config):
        return None
    return _report(read_attacked(records, tuple(counts.items())), config)


def _report(frame: pd.DataFrame, config: Mapping[str, Any]) -> AttackReport | None:
    attack = attack_class(config)
    last_alone = attack in _LIBRARIES or config["attack"].get("early_stop") is False
    if frame.empty:
        return None
    return attack_report(frame, attack, judges_last_alone=last_alone)


def stored_report(
    records: Path, counts: Mapping[str, int], config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """`report_of` as it stands in result.json."""
    report = report_of(records, counts, config)
    return None if report is None else asdict(report)
