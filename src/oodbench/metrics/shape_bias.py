"""Shape against texture on cue-conflict pictures (Geirhos et al. 2019)."""

from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from oodbench.metrics.intervals import NO_INTERVAL, wilson
from oodbench.metrics.score import Score
from oodbench.reference import geirhos_categories

_CATEGORIES = np.array(list(geirhos_categories()))


@dataclass(frozen=True)
class _Counts:
    """How many of `pictures` were called by their shape, and how many by their texture."""

    shape: int
    texture: int
    pictures: int


def shape_bias(records: pd.DataFrame) -> dict[str, dict[str, Score]]:
    """How often a model that names either cue names the shape.

    Two rules: the published one decides by the best logit of all member classes (`decision_max`) on
    the published 1,201 pictures; the mean rule by the mean probability of a category's members
    (`decision_mean`) on the 1,200 conflicts. The one published picture whose cues agree,
    bicycle6-bicycle3, counts as a shape and as a texture decision when it is called a bicycle.

    Args:
        records: rows with `shape` and `texture` (category names), `published_set`, `decision_max`
            and `decision_mean` (indices in the 16 alphabetical categories).

    Returns:
        Under "" `shape_bias` (published rule), `shape_bias_mean_rule`, `texture_bias` (1 -
        `shape_bias`), `fraction_correct` (decisions for either cue over all pictures, published
        rule) and `fraction_correct_mean_rule`. Under each shape category that occurs `shape_bias`
        and `shape_bias_mean_rule` of its pictures. Without a decision for either cue a bias is NaN.
        Wilson intervals; `n` of a bias counts decisions for either cue.
    """
    published = records[records["published_set"].to_numpy(dtype=bool)]
    conflicts = records[records["shape"].to_numpy() != records["texture"].to_numpy()]
    by_max, by_mean = _count(published, "decision_max"), _count(conflicts, "decision_mean")
    scores = {
        "": {
            "shape_bias": _share_of_shape(by_max),
            "shape_bias_mean_rule": _share_of_shape(by_mean),
            "texture_bias": _share_of_texture(by_max),
            "fraction_correct": _fraction_correct(by_max),
            "fraction_correct_mean_rule": _fraction_correct(by_mean),
        }
    }
    for category in sorted(records["shape"].unique()):
        scores[category] = {
            "shape_bias": _share_of_shape(_count(_of_shape(published, category), "decision_max")),
            "shape_bias_mean_rule": _share_of_shape(
                _count(_of_shape(conflicts, category), "decision_mean")
            ),
        }
    return scores


def _of_shape(records: pd.DataFrame, category: str) -> pd.DataFrame:
    return records[records["shape"] == category]


def _count(records: pd.DataFrame, decision_column: str) -> _Counts:
    decision = _CATEGORIES[records[decision_column].to_numpy()]
    return _Counts(
        shape=int((decision == records["shape"].to_numpy(dtype=str)).sum()),
        texture=int((decision == records["texture"].to_numpy(dtype=str)).sum()),
        pictures=len(records),
    )


def _share_of_shape(counts: _Counts) -> Score:
    return _share(counts.shape, counts.shape + counts.texture, higher_is_better=True)


def _share_of_texture(counts: _Counts) -> Score:
    return _share(counts.texture, counts.shape + counts.texture, higher_is_better=None)


def _share(part: int, decisions: int, *, higher_is_better: bool | None) -> Score:
    if not decisions:
        note = "no picture was called by its shape or its texture"
        return Score(nan, *NO_INTERVAL, 0, higher_is_better=higher_is_better, note=note)
    interval = wilson(part, decisions)
    return Score(part / decisions, *interval, decisions, higher_is_better=higher_is_better)


def _fraction_correct(counts: _Counts) -> Score:
    if not counts.pictures:
        return Score(nan, *NO_INTERVAL, 0, note="no pictures")
    correct = counts.shape + counts.texture
    # A picture that counts twice could make it 1,202 of 1,201, which is no rate.
    interval = wilson(min(correct, counts.pictures), counts.pictures)
    return Score(correct / counts.pictures, *interval, counts.pictures)
