"""Accuracy on ObjectNet, and on the validation pictures of its classes (Barbu et al. 2019)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.accuracy import subset_size
from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score
from oodbench.reference import imagenet_wnids, objectnet_classes


def by_folder(records: pd.DataFrame) -> dict[str, Score]:
    """`top1` among the 125 classes that ObjectNet shows, and `top1_1000way` among all.

    A prediction is right that is one of the folder's classes (objectnet_accuracy of
    modestyachts/imagenet-testbed).

    Args:
        records: rows with `category` (name of the folder), `prediction` and `prediction_<n>way`,
            as ImageNet class indices.
    """
    order = {folder: number for number, folder in enumerate(objectnet_classes())}
    shown = np.array([order[folder] for folder in records["category"]])
    return _scores(records, shown)


def by_class(records: pd.DataFrame) -> dict[str, Score]:
    """The same for pictures of single classes: those of the folder that shows the class are right.

    It is `val-on-objectnet-classes` of modestyachts/imagenet-testbed, on the validation set.

    Args:
        records: rows with `label`, `prediction` and `prediction_<n>way`, all as ImageNet class
            indices, the labels among those that ObjectNet shows.
    """
    return _scores(records, _folder_of_classes()[records["label"].to_numpy()])


def _scores(records: pd.DataFrame, shown: NDArray[np.int64]) -> dict[str, Score]:
    """Args: shown: number of each picture's folder, int64 `(n,)`."""
    folder_of = _folder_of_classes()

    def right(column: str) -> Score:
        return rate(np.asarray(folder_of[records[column].to_numpy()] == shown))

    way = f"prediction_{subset_size(records)}way"
    return {"top1": right(way), "top1_1000way": right("prediction")}


def _folder_of_classes() -> NDArray[np.int64]:
    """Number of the folder that shows a class, int64 `(1000,)`; -1 where none does."""
    folders = np.full(len(imagenet_wnids()), -1)
    members: Sequence[tuple[int, ...]] = list(objectnet_classes().values())
    for number, indices in enumerate(members):
        folders[list(indices)] = number
    return folders
