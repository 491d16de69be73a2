"""What a run decided for each of its pictures, and whether that is right."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.metrics.adversarial import attacked_only
from oodbench.metrics.correctness import (
    confidence,
    correct,
    decides_for_categories,
    decision_column,
    is_confidence,
    is_needed,
)
from oodbench.metrics.groups import UNKNOWN
from oodbench.runs.attacked import item_counts
from oodbench.runs.records import column_names, read_split
from oodbench.runs.results import RunResult
from oodbench.runs.unsound import mark_unsound

PLACE = ["image", "frame"]
"""What makes a row of one run the partner of a row of the same split of another."""

OF_CATEGORIES = "of_categories"
"""Attribute of a frame: labels and decisions are among Geirhos' 16 categories, not the 1000."""


def decisions(run: RunResult, split: str) -> pd.DataFrame:
    """Of each scored row of a split: what the run decided for.

    Returns:
        image, frame, label, decision, confidence (of the decision, NaN where not recorded) and
        right (whether the decision is), with the attribute `OF_CATEGORIES`; empty where the run has
        no row of the split.

    Raises:
        DataError: records are damaged or missing.
    """
    kept = _scored_rows(run, split)
    if kept.empty:
        return kept
    found = kept[PLACE].assign(
        label=kept["label"],
        decision=kept[decision_column(kept)],
        confidence=confidence(kept),
        right=correct(kept),
    )
    found.attrs[OF_CATEGORIES] = decides_for_categories(kept)
    return found


def right_by_position(run: RunResult, split: str) -> NDArray[np.int8] | None:
    """Of each item of a split: 1 where it is right, 0 where it is wrong, `UNKNOWN` without a row.

    Returns:
        int8 `(n_items,)`, by position in the split's order; None where items have several frames.

    Raises:
        DataError: records are damaged or missing.
    """
    kept = _scored_rows(run, split)
    flags = np.full(item_counts(run)[split], UNKNOWN, np.int8)
    if kept.empty:
        return flags
    if kept["frame"].to_numpy().any():
        return None
    flags[kept["position"].to_numpy()] = correct(kept)
    return flags


def _scored_rows(run: RunResult, split: str) -> pd.DataFrame:
    """Rows of a split that an attack has not left out, with what says whether they are right."""
    if split not in run.splits:
        return pd.DataFrame()
    directory, n_items = run.paths.records, item_counts(run)[split]
    try:
        names = column_names(directory, split)
        columns = [*PLACE, *(name for name in names if is_needed(name) or is_confidence(name))]
        records = read_split(directory, split, n_items, columns=columns, key=run.key)
    except DataError as error:
        mark_unsound(run, error)
        raise
    return records if records.empty else attacked_only(records)
