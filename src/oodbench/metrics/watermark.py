"""What a watermark does to predictions (Li et al. 2023)."""

import pandas as pd

from oodbench.metrics.accuracy import top1
from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score

CARTON = 478
"""Class index of carton, whose training pictures often have the mark."""


def watermark(records: pd.DataFrame) -> dict[str, Score]:
    """`top1`, `top5`, and `carton_rate`, the share of pictures of other classes taken for cartons.

    Args:
        records: rows with `label`, `prediction` and `top5`.
    """
    others = records[records["label"] != CARTON]
    scores = top1(records)
    if len(others):
        called = others["prediction"].to_numpy() == CARTON
        scores["carton_rate"] = rate(called, higher_is_better=False)
    return scores
