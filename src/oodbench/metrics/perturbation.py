"""ImageNet-P: flip probability and top-5 distance (Hendrycks and Dietterich 2019)."""

from collections.abc import Mapping
from math import inf, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.metrics.accuracy import top5_classes
from oodbench.metrics.intervals import NO_INTERVAL, bootstrap_mean
from oodbench.metrics.joint import Term, source_names, weighted_sum
from oodbench.metrics.score import Score, Unit
from oodbench.reference import read_table

TEST_PERTURBATIONS = tuple(
    dict.fromkeys(
        row["corruption"]
        for row in read_table("corruption_reference.csv")
        if (row["benchmark"], row["set"]) == ("imagenet_p", "test")
    )
)
"""The ten perturbations that the overall scores average."""

_UNITS: dict[str, Unit] = {"flip_probability": "fraction", "top5_distance": "distance"}
_NORMALISED = {"mfr": "flip_probability", "mt5d": "top5_distance"}
_OUTSIDE = 6  # the rank that stands for every place below the five best


def clip_scores(records: pd.DataFrame) -> pd.DataFrame:
    """Both scores of every clip.

    A frame is compared with the clip's first one where the perturbation is a noise, drawn anew for
    each frame ("noise" in the split's name), else with the frame before it.

    Args:
        records: rows of one perturbation with `image` (the clip), `split` (the perturbation),
            `frame`, `prediction` and `top5`; a clip's rows are consecutive, frames from 0 upwards.

    Returns:
        Indexed by `image`, in the order of the records, float64 columns `flip_probability` (share
        of frames after the first with another prediction than their reference, 0..1) and
        `top5_distance` (its mean over these frames, 0..15).

    Raises:
        DataError: a clip has a single frame.
        ValueError: the rows are not in order.
    """
    frame = records["frame"].to_numpy().astype(np.int64)
    image = records["image"].to_numpy(dtype=object)
    starts = np.flatnonzero(frame == 0)
    lengths = np.diff(starts, append=len(frame))
    _check_order(frame, image, starts, lengths)
    _check_lengths(image[starts], lengths)

    first = np.repeat(starts, lengths)
    clip = np.repeat(np.arange(len(starts)), lengths)
    later = np.flatnonzero(frame > 0)
    is_noise = "noise" in str(records["split"].iloc[0])
    reference = first[later] if is_noise else later - 1

    prediction, top5 = records["prediction"].to_numpy(), top5_classes(records)
    flips = prediction[later] != prediction[reference]
    distances = top5_distance(top5[reference], top5[later])
    pairs = lengths - 1
    return pd.DataFrame(
        {
            "flip_probability": np.bincount(clip[later], weights=flips) / pairs,
            "top5_distance": np.bincount(clip[later], weights=distances) / pairs,
        },
        index=pd.Index(image[starts], name="image"),
    )


def top5_distance(
    reference: NDArray[np.integer], other: NDArray[np.integer]
) -> NDArray[np.float64]:
    """How far the five best classes of `reference` move in `other`; not symmetric.

    The sum over ranks i = 1..5 of |i - s_i|, where s_i is the rank in `other` of the class that
    `reference` ranks i-th, every rank below the fifth counting as 6. Ranks without a class, of a
    network that has fewer than five, add nothing.

    Args:
        reference, other: class indices `(n, 5)`, best first; below 0 where there is no class.

    Returns:
        float64 `(n,)`, integers in 0..15.
    """
    distance = np.zeros(len(reference))
    for position in range(5):
        same = reference[:, position, None] == other
        rank = np.where(same.any(axis=1), same.argmax(axis=1) + 1, _OUTSIDE)
        distance += np.where(reference[:, position] < 0, 0, np.abs(position + 1 - rank))
    return distance


def perturbation(records: pd.DataFrame) -> dict[str, Score]:
    """`flip_probability` (fraction) and `top5_distance` (0..15) of one perturbation.

    Clips weigh equally whatever their length; intervals are bootstrapped over clips.

    Args:
        records: as in `clip_scores`, which also says what it raises.
    """
    clips = clip_scores(records)
    return {
        metric: Score(
            float(clips[metric].mean()),
            *bootstrap_mean(clips[metric].to_numpy()),
            len(clips),
            unit,
            higher_is_better=False,
        )
        for metric, unit in _UNITS.items()
    }


def combine(clips: Mapping[str, pd.DataFrame]) -> dict[str, Score]:
    """Means of `flip_probability` and `top5_distance` over the ten test perturbations.

    Intervals resample pictures, and with each its clips of all perturbations.

    Args:
        clips: perturbation -> its `clip_scores`; others than the ten are ignored.

    Returns:
        Both scores; NaN with a note while one of the ten is missing.
    """
    weights = dict.fromkeys(TEST_PERTURBATIONS, 1 / len(TEST_PERTURBATIONS))
    return {metric: _mean(clips, metric, weights, unit) for metric, unit in _UNITS.items()}


def normalised(
    clips: Mapping[str, pd.DataFrame], normaliser: Mapping[str, Mapping[str, float]]
) -> dict[str, Score]:
    """`mfr` and `mt5d`, the means over the ten test perturbations in percent of AlexNet's scores.

    Args:
        clips: as in `combine`.
        normaliser: perturbation -> AlexNet's `flip_probability` and `top5_distance`. They are not
            published and have to be measured on the same clips.

    Returns:
        Both scores; NaN with a note that names what is missing, in `clips` or in the normaliser (a
        normaliser that is not finite and above 0 counts as missing).
    """
    scores = {}
    for name, metric in _NORMALISED.items():
        known = {p: normaliser.get(p, {}).get(metric, nan) for p in TEST_PERTURBATIONS}
        lacking = [p for p, value in known.items() if not 0 < value < inf]
        if lacking:
            scores[name] = _undefined("percent", f"no normaliser for {', '.join(lacking)}")
            continue
        weights = {p: 100 / len(known) / value for p, value in known.items()}
        scores[name] = _mean(clips, metric, weights, "percent")
    return scores


def _mean(
    clips: Mapping[str, pd.DataFrame], metric: str, weights: Mapping[str, float], unit: Unit
) -> Score:
    missing = [name for name in weights if name not in clips]
    if missing:
        return _undefined(unit, f"perturbations missing: {', '.join(missing)}")
    terms = [
        Term(weight, clips[name][metric].set_axis(source_names(clips[name].index)))
        for name, weight in weights.items()
    ]
    return weighted_sum(terms, unit=unit)


def _undefined(unit: Unit, note: str) -> Score:
    return Score(nan, *NO_INTERVAL, 0, unit, False, note)


def _check_order(
    frame: NDArray[np.int64],
    image: NDArray[np.object_],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    if not len(starts) or starts[0] != 0:
        raise ValueError("expected the records to begin with frame 0 of a clip")
    counted = np.arange(len(frame)) - np.repeat(starts, lengths)
    if (frame != counted).any() or (image != np.repeat(image[starts], lengths)).any():
        raise ValueError("expected the frames of a clip in consecutive rows, ascending from 0")


def _check_lengths(clips: NDArray[np.object_], lengths: NDArray[np.int64]) -> None:
    short = clips[lengths < 2]
    if len(short):
        raise DataError(f"{short[0]}: one frame, a clip needs two: get the file anew or remove it")
