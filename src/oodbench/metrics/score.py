"""One number of a result, with its interval."""

import math
from dataclasses import dataclass
from typing import Literal

Unit = Literal["fraction", "percent", "distance", "ratio", "nats"]

TO_POINTS = {"fraction": 100.0, "percent": 1.0, "distance": 1.0, "ratio": 1.0, "nats": 1.0}
UNIT_SUFFIX = {"fraction": " %", "percent": " %", "distance": "", "ratio": "", "nats": ""}

BELOW_INTERVAL = "the value lies below its interval, as resampling adds to the calibration error"
"""Note of a score whose bootstrap is biased."""


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval.

    Attributes:
        value: the score in `unit`; NaN where it is not defined (then `note` says why).
        low, high: limits of the 95 % interval, NaN where none is defined.
        n: how many images (clips in ImageNet-P) the value rests on.
        unit: "fraction" (0..1), "percent" (mCE, mFR), "distance" (top-5 distance, 0..15),
            "ratio" (of two errors) or "nats" (negative log-likelihood).
        higher_is_better: None where neither direction is (texture share).
        note: what a reader must know, one sentence; empty in the usual case.
    """

    value: float
    low: float
    high: float
    n: int
    unit: Unit = "fraction"
    higher_is_better: bool | None = True
    note: str = ""


def format_score(score: Score) -> str:
    """Value, interval and count, such as `76.1 % [75.8, 76.5]  n=50000`."""
    scale, suffix = TO_POINTS[score.unit], UNIT_SUFFIX[score.unit]
    digits = 1 if suffix else 2
    if math.isnan(score.value):
        return f"–  ({score.note})" if score.note else "–"
    text = f"{score.value * scale:.{digits}f}{suffix}"
    if not math.isnan(score.low):
        text += f" [{score.low * scale:.{digits}f}, {score.high * scale:.{digits}f}]"
    text += f"  n={score.n}"
    return f"{text}  ({score.note})" if score.note else text
