"""Which pictures a run got right, by the rule of its benchmark."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.accuracy import subset_size
from oodbench.metrics.adversarial import LEFT_OUT, accurate

_NEEDED = ("label", "prediction", "attack_succeeded", LEFT_OUT, "decision_max")
_SUBSET = "prediction_"


def is_needed(column: str) -> bool:
    """Whether `correct` may look at a column of the records."""
    return column in _NEEDED or column.startswith(_SUBSET)


def correct(records: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row counts as right, bool `(n,)`.

    Of attacked pictures: the attack missed its goal and the prediction is the label. Of stimuli
    with a decision among 16 categories: the decision is for the shape, by the published rule. Of
    pictures with a decision among a subset of the classes: that decision is the label. Of all
    others: the best class is the label.

    Args:
        records: rows of a run with `label` and the columns of one of these rules.
    """
    if "attack_succeeded" in records:
        return accurate(records)
    found: NDArray[np.bool_] = (
        records[decision_column(records)].to_numpy() == records["label"].to_numpy()
    )
    return found


def decision_column(records: pd.DataFrame) -> str:
    """The column that holds what a clean run decided for: see `correct`."""
    if decides_for_categories(records):
        return "decision_max"
    if any(str(name).startswith(_SUBSET) for name in records):
        return f"prediction_{subset_size(records)}way"
    return "prediction"


def confidence_column(records: pd.DataFrame) -> str | None:
    """The column with the probability of what was decided for; None where there is none.

    The records hold no probability of a decision among categories.
    """
    if decides_for_categories(records):
        return None
    decided = "prediction" if "attack_succeeded" in records else decision_column(records)
    found = decided.replace("prediction", "confidence")
    return found if found in records else None


def is_confidence(column: str) -> bool:
    """Whether `confidence` may look at a column of the records."""
    return column.startswith("confidence")


def confidence(records: pd.DataFrame) -> NDArray[np.float64]:
    """Probability of what was decided for, `(n,)` in [0, 1]; NaN where it is not recorded."""
    column = confidence_column(records)
    if column is None:
        return np.full(len(records), np.nan)
    return records[column].to_numpy(np.float64)


def decides_for_categories(records: pd.DataFrame) -> bool:
    """Whether labels and decisions are among Geirhos' 16 categories."""
    return "decision_max" in records
