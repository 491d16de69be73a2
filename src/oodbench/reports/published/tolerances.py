"""How far a value may be from a reference: stated as data, in reference/tolerances.csv."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import sqrt

from oodbench.reference import read_table
from oodbench.reports.published.sources import Reference


@dataclass(frozen=True)
class Tolerance:
    """A tolerance in percentage points, and the reasoning behind it."""

    points: float
    reason: str


def tolerance(
    model: str, benchmark: str, metric: str, reference: Reference, n: int
) -> Tolerance | None:
    """The first row of tolerances.csv that fits.

    Points of the row, plus its binomial standard errors of the difference of two independent rates
    over `n` items, plus half a unit of the reference's last known decimal.

    Args:
        n: how many items our value rests on, from 1 up.

    Returns:
        None where no row fits.
    """
    for row in read_table("tolerances.csv"):
        patterns = (row["model"], row["against"], row["benchmark"], row["metric"])
        if matches(patterns, (model, reference.source, benchmark, metric)):
            points = float(row["points"]) + _rounding(reference.decimals)
            points += float(row["standard_errors"]) * _standard_error(reference.value / 100, n)
            return Tolerance(points, row["reason"])
    return None


def matches(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether each name matches its shell pattern, case-sensitively."""
    return all(fnmatchcase(name, pattern) for name, pattern in zip(names, patterns, strict=True))


def _rounding(decimals: int | None) -> float:
    return 0.0 if decimals is None else 0.5 * 10.0**-decimals


def _standard_error(rate: float, n: int) -> float:
    """In percentage points; 0 where the value is no rate, such as an mCE above 100."""
    return 100 * sqrt(max(0.0, 2 * rate * (1 - rate) / n))
