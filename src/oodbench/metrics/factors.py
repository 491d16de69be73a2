"""ImageNet-X: accuracy by what is unusual about a picture (Idrissi et al. 2023)."""

import json
from functools import cache
from importlib.util import find_spec
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.metrics.intervals import NO_INTERVAL, bootstrap_together, rate
from oodbench.metrics.score import Score
from oodbench.metrics.validation_names import picture_number, picture_numbers

PACKAGE = "imagenet_x"
"""Ships the annotations, which are not imported but read."""

FACTORS = (
    *("pose", "background", "pattern", "color", "smaller", "shape", "partial_view", "subcategory"),
    *("texture", "larger", "darker", "object_blocking", "person_blocking", "style", "brighter"),
    "multiple_objects",
)


def factors(records: pd.DataFrame) -> dict[str, Score]:
    """Accuracy of all annotated validation pictures, of each factor, and of the worst one.

    The factor of a picture is the one that its annotator found to stand out most; the three
    prototypes of every class, which it was compared with, are left out (`load_annotations` of the
    package imagenet-x, by default).

    Args:
        records: rows with `image` (`…/ILSVRC2012_val_XXXXXXXX.JPEG`), `label` and `prediction`.

    Returns:
        `top1`; `top1_<factor>` and `error_ratio_<factor>`, the error of the factor divided by that
        of all (above 1: harder than usual), NaN with a note where there is no such picture or no
        error; `top1_worst_factor`.

    Raises:
        DataError: a picture has another name.
        ConfigError: the package with the annotations is not installed.
    """
    table = _annotations()
    numbers = picture_numbers(records["image"])
    annotated = np.isin(numbers, table.index)
    right = (records["prediction"].to_numpy() == records["label"].to_numpy())[annotated]
    if not len(right):
        none = Score(nan, *NO_INTERVAL, 0, note="none of the pictures is annotated")
        return {"top1": none, "top1_worst_factor": none}
    of_pictures = table.loc[numbers[annotated]]
    scores = {"top1": rate(right)}
    flags = of_pictures[list(FACTORS)].to_numpy()
    for factor, shown, ratio in zip(FACTORS, flags.T, _error_ratios(~right, flags), strict=True):
        scores[f"top1_{factor}"] = _accuracy(right, shown)
        scores[f"error_ratio_{factor}"] = ratio
    found = {factor: scores[f"top1_{factor}"] for factor in FACTORS}
    known = [factor for factor, score in found.items() if not isnan(score.value)]
    if known:
        worst = min(known, key=lambda factor: found[factor].value)
        scores["top1_worst_factor"] = _named(found[worst], worst)
    return scores


def check_name(image: str) -> None:
    """Refuse, before anything is computed, what `factors` could not score.

    Raises:
        DataError: the picture has another name.
        ConfigError: the package with the annotations is not installed.
    """
    _folder()
    picture_number(image)


factors.check_name = check_name  # type: ignore[attr-defined]


def _named(score: Score, factor: str) -> Score:
    return Score(score.value, score.low, score.high, score.n, note=factor.replace("_", " "))


def _accuracy(right: NDArray[np.bool_], shown: NDArray[np.bool_]) -> Score:
    if not shown.any():
        return Score(nan, *NO_INTERVAL, 0, note="no such picture")
    return rate(right[shown])


def _error_ratios(wrong: NDArray[np.bool_], flags: NDArray[np.bool_]) -> list[Score]:
    """Of `wrong` pictures, bool `(n,)`, by the factor shown, bool `(n, k)`: one a row or none."""
    n, k = flags.shape
    # Counting kinds of pictures is much faster than adding up the flags of every resample.
    kinds = 2 * np.where(flags.any(axis=1), flags.argmax(axis=1), k) + wrong

    def ratios(draw: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = np.bincount(kinds[draw], minlength=2 * (k + 1)).reshape(k + 1, 2)
        missed, shown = counts[:, 1], counts.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # no such picture, or no error
            found = missed[:k] / shown[:k] / (missed.sum() / n)
        return np.where(np.isfinite(found), found, nan)

    scores = []
    intervals = bootstrap_together(ratios, n)
    counts = flags.sum(axis=0).tolist()
    for value, interval, count in zip(ratios(np.arange(n)), intervals, counts, strict=True):
        note = "no such picture, or no error" if isnan(value) else ""
        known = interval if not note else NO_INTERVAL
        scores.append(
            Score(float(value), *known, count, "ratio", higher_is_better=False, note=note)
        )
    return scores


@cache
def _annotations() -> pd.DataFrame:
    """Bool columns `FACTORS`, indexed by the number of the validation picture."""
    folder = _folder()
    prototypes = pd.read_csv(folder / "prototypical_paths.csv")["file_name"]
    lines = (folder / "imagenet_x_val_top_factor.jsonl").read_text(encoding="utf-8").splitlines()
    table = pd.DataFrame([json.loads(line) for line in lines])
    table = table[~table["file_name"].isin(prototypes)]
    table.index = pd.Index(picture_numbers(table["file_name"]))
    return table[list(FACTORS)].astype(bool)


def _folder() -> Path:
    spec = find_spec(PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(place) / "annotations").is_dir():
            return folder
    raise ConfigError(
        "the annotations of ImageNet-X come with the package imagenet-x: "
        + install_extra("imagenet-x")
    )
