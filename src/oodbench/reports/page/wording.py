"""Numbers in the words of the page."""

import math

from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.tables.cells import ABSENT, DECIMALS

__all__ = ["ABSENT", "bytes_text", "figure_text", "interval_text", "number_text", "time_text"]

_MINUTE, _HOUR = 60, 3600
_KB, _MB = 1e3, 1e6


def number_text(score: Score) -> str:
    """The value in points, such as `76.1`; a dash where there is none, never 0."""
    if math.isnan(score.value):
        return ABSENT
    return f"{score.value * TO_POINTS[score.unit]:.{DECIMALS[score.unit]}f}"


def interval_text(score: Score) -> str:
    """The 95 % interval in points, such as `[75.7, 76.5]`; "" where there is none."""
    if math.isnan(score.low) or math.isnan(score.value):
        return ""
    scale, decimals = TO_POINTS[score.unit], DECIMALS[score.unit]
    return f"[{score.low * scale:.{decimals}f}, {score.high * scale:.{decimals}f}]"


def time_text(seconds: float) -> str:
    """A time in its usual unit, such as `2.5 s`, `3.1 min`, `12.0 h`; a dash where unknown."""
    if math.isnan(seconds):
        return ABSENT
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.1f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"


def figure_text(value: float, pattern: str) -> str:
    """A number by a pattern such as `.1f`; a dash where there is none."""
    return ABSENT if math.isnan(value) else format(value, pattern)


def bytes_text(n_bytes: int) -> str:
    """A size, such as `12 kB` or `1.4 MB`."""
    return f"{n_bytes / _MB:.1f} MB" if n_bytes >= _MB else f"{n_bytes / _KB:.0f} kB"
