"""AlexNet's scores on ImageNet-P, which are not published, from a file of the user's."""

from math import inf
from pathlib import Path

import pandas as pd

from oodbench.benchmarks.second_run import Normaliser
from oodbench.core.errors import DataError


def read_normaliser(path: Path) -> Normaliser:
    """AlexNet's scores from a CSV file.

    Args:
        path: columns `perturbation`, `flip_probability` (fraction), `top5_distance` (0..15).

    Raises:
        DataError: the file cannot be read, lacks a column, names a perturbation twice, or holds
            something that is no finite number above 0, by which one can divide.
    """
    columns = {"flip_probability": float, "top5_distance": float}
    try:
        table = pd.read_csv(path, dtype={"perturbation": str, **columns})
        rows = table.set_index("perturbation")[list(columns)]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: no normaliser ({reason}); it needs the columns perturbation, "
            "flip_probability and top5_distance"
        ) from error
    if len(twice := rows.index[rows.index.duplicated()]):
        raise DataError(f"{path}: {twice[0]} has two rows: remove one of them")
    for column in columns:
        for name, value in rows[column].items():
            if not 0 < value < inf:
                raise DataError(
                    f"{path}: {column} of {name} is {value}: a normaliser is a finite number above "
                    "0; measure it again, or leave out the row"
                )
    return {
        str(name): {"flip_probability": float(flips), "top5_distance": float(distance)}
        for name, flips, distance in rows.itertuples()
    }
