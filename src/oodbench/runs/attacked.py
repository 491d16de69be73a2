"""Attacked runs on disk: their attack and their records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.metrics.attack_checks import COLUMNS
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult

Read = Callable[[Path, tuple[tuple[str, int], ...]], pd.DataFrame]
"""Folder of records and (split, items) pairs -> the records, see `read_attacked`."""


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


def records_of(result: RunResult, read: Read) -> pd.DataFrame:
    """Records of a run's scored items."""
    return read(result.directory / "records", tuple(item_counts(result).items()))
