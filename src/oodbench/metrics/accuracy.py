"""Top-1 and top-5 accuracy."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score


def top1(records: pd.DataFrame) -> dict[str, Score]:
    """`top1` and `top5`: shares of pictures whose label is the best, or among the five best.

    Args:
        records: rows with `label`, `prediction` and `top5`.
    """
    label = records["label"].to_numpy()
    among_five = (top5_classes(records) == label[:, None]).any(axis=1)
    return {"top1": rate(records["prediction"].to_numpy() == label), "top5": rate(among_five)}


def error(records: pd.DataFrame) -> dict[str, Score]:
    """`error`: share of pictures whose label is not the best class, 1 - `top1`.

    Args:
        records: rows with `label` and `prediction`.
    """
    wrong = records["prediction"].to_numpy() != records["label"].to_numpy()
    return {"error": rate(wrong, higher_is_better=False)}


def imagenet_a(records: pd.DataFrame) -> dict[str, Score]:
    """ImageNet-A (Hendrycks et al. 2021): `top1` among its 200 classes and `top1_1000way`.

    Args:
        records: rows with `label`, `prediction` (best of 1000) and `prediction_200way` (best of the
            200), all as ImageNet class indices.
    """
    label = records["label"].to_numpy()
    return {
        "top1": rate(records["prediction_200way"].to_numpy() == label),
        "top1_1000way": rate(records["prediction"].to_numpy() == label),
    }


def top5_classes(records: pd.DataFrame) -> NDArray[np.int16]:
    """The column `top5`, a list of five class indices a row, as int16 `(n, 5)`, best first.

    Raises:
        ValueError: a row does not hold five classes.
    """
    classes = np.array(records["top5"].to_list(), dtype=np.int16)
    if classes.shape != (len(records), 5):
        raise ValueError(f"expected five classes a row, found an array {classes.shape}")
    return classes
