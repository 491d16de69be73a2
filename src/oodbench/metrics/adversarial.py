"""Accuracy under attack and the attack's success, as the published run counts them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score

LEFT_OUT = "left_out"
"""Column of an attack that leaves pictures out."""


def attacked_only(records: pd.DataFrame) -> pd.DataFrame:
    """Without the rows of pictures that the attack left out, which no score counts.

    Args:
        records: of any run; bool `left_out` marks them, where the attack has such a column.
    """
    if LEFT_OUT not in records:
        return records
    return records[~records[LEFT_OUT].eq(True).to_numpy(dtype=bool)]  # nothing said: attacked


def accurate(records: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the attack missed its own goal and what it returned is predicted right, `(n,)`.

    Args:
        records: see `adversarial`.
    """
    right: NDArray[np.bool_] = records["prediction"].to_numpy() == records["label"].to_numpy()
    succeeded: NDArray[np.bool_] = records["attack_succeeded"].to_numpy(dtype=bool)
    return np.asarray(right & ~succeeded)


def adversarial(records: pd.DataFrame) -> dict[str, Score]:
    """`adversarial_accuracy`, `attack_success_rate` and `clean_accuracy`.

    A picture counts as accurate when the attack missed its own goal and the prediction on what the
    attack returned is the label. A success is never accurate; a failed targeted attack leaves the
    picture's class open. The success rate is over all attacked pictures, those included that were
    at the attack's goal before it began.

    Its attribute `needs_attack` has a clean run refused before it begins.

    Args:
        records: rows of an attacked run with `label`, `prediction` (under attack),
            `clean_prediction` and `attack_succeeded`.
    """
    label = records["label"].to_numpy()
    succeeded = records["attack_succeeded"].to_numpy(dtype=bool)
    return {
        "adversarial_accuracy": rate(accurate(records)),
        "attack_success_rate": rate(succeeded, higher_is_better=False),
        "clean_accuracy": rate(records["clean_prediction"].to_numpy() == label),
    }


adversarial.needs_attack = True  # type: ignore[attr-defined]
