"""One number of a result, with its interval."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["fraction", "percent", "distance"]


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval.

    Attributes:
        value: the score in `unit`; NaN where it is not defined (then `note` says why).
        low, high: limits of the 95 % interval, NaN where none is defined.
        n: how many images (clips in ImageNet-P) the value rests on.
        unit: "fraction" (0..1), "percent" (mCE, mFR) or "distance" (top-5 distance, 0..15).
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
