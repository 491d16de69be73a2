"""Top-1 and top-5 accuracy, of all classes and of a subset."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import ConfigError
from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score

_WAY = re.compile(r"prediction_(\d+)way")


def top1(records: pd.DataFrame) -> dict[str, Score]:
    """`top1` and `top5`: shares of pictures whose label is the best, or among the five best.

    Args:
        records: rows with `label`, `prediction` and `top5`, which holds -1 where the network has
            outputs for fewer than five classes.
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


def subset(records: pd.DataFrame) -> dict[str, Score]:
    """`top1` among the classes of a subset and `top1_1000way`; on ImageNet-A as its authors do.

    Args:
        records: rows with `label`, `prediction` (best of 1000) and `prediction_<n>way` (best of the
            n classes of the subset), all as ImageNet class indices.

    Raises:
        ConfigError: the records hold no decision among a subset.
    """
    label = records["label"].to_numpy()
    return {
        "top1": rate(records[f"prediction_{subset_size(records)}way"].to_numpy() == label),
        "top1_1000way": rate(records["prediction"].to_numpy() == label),
    }


def subset_size(records: pd.DataFrame) -> int:
    """The n of the column `prediction_<n>way`.

    Raises:
        ConfigError: there is no such column.
    """
    for column in records:
        if found := _WAY.fullmatch(str(column)):
            return int(found[1])
    raise ConfigError(
        "benchmark.protocol.scores: a score among a subset of the classes needs "
        "benchmark.protocol.readout._target_=oodbench.readouts.Subset"
    )


def top5_classes(records: pd.DataFrame) -> NDArray[np.int16]:
    """The column `top5`, a list of five class indices a row, as int16 `(n, 5)`, best first.

    Raises:
        ValueError: a row does not hold five classes.
    """
    classes = np.array(records["top5"].to_list(), dtype=np.int16)
    if classes.shape != (len(records), 5):
        raise ValueError(f"expected five classes a row, found an array {classes.shape}")
    return classes
