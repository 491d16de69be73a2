"""Accuracy by the reassessed labels of the ImageNet validation set, ReaL (Beyer et al. 2020)."""

from math import nan

import numpy as np
import pandas as pd

from oodbench.metrics.intervals import NO_INTERVAL, rate
from oodbench.metrics.score import Score
from oodbench.metrics.validation_names import picture_number, picture_numbers
from oodbench.reference import imagenet_real_labels


def reassessed(records: pd.DataFrame) -> dict[str, Score]:
    """`top1`, by ReaL's labels, and `top1_original` of the same pictures, by the original ones.

    A prediction is right that is one of the picture's labels; pictures without any, 3,163 of
    50,000, are left out (google-research/reassessed-imagenet, README).

    Args:
        records: rows with `image` (`…/ILSVRC2012_val_XXXXXXXX.JPEG`), `label` and `prediction`,
            class indices among the 1000.

    Returns:
        NaN with a note where no picture has a label.

    Raises:
        DataError: a picture has another name.
    """
    labels = imagenet_real_labels()
    prediction = records["prediction"].to_numpy()
    of_pictures = [labels[number - 1] for number in picture_numbers(records["image"])]
    labelled = np.array([bool(found) for found in of_pictures], dtype=bool)
    if not labelled.any():
        undefined = Score(nan, *NO_INTERVAL, 0, note="none of the pictures has a reassessed label")
        return {"top1": undefined, "top1_original": undefined}
    among = np.array(
        [found in known for found, known in zip(prediction, of_pictures, strict=True)], dtype=bool
    )
    original = prediction == records["label"].to_numpy()
    return {"top1": rate(among[labelled]), "top1_original": rate(original[labelled])}


reassessed.check_name = picture_number  # type: ignore[attr-defined]
