"""Which published value a score of ours is compared with."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from oodbench.reference import read_table

PUBLISHED = "published"
TESTBED = "imagenet-testbed"


@dataclass(frozen=True)
class Published:
    """A value that others measured.

    Attributes:
        value: in the unit of our score: a fraction, or percent for mCE.
        source: "published" (the run whose table is reproduced) or "imagenet-testbed".
        comparable: False where another protocol made it, so that a difference would mean nothing.
        decimals_known: of the value in percent, where it is only known rounded; None: all.
    """

    value: float
    source: str
    comparable: bool
    decimals_known: int | None


@dataclass(frozen=True)
class _Rule:
    """Where in a source's table a score of ours stands; of several rules the first one wins."""

    their_benchmark: str
    their_metric: str
    benchmark: str
    metric: str
    decimals_known: int | None
    comparable: bool


_IN_PERCENT = {"mce"}

Values = dict[tuple[str, str, str], Published]
"""By model, benchmark and metric, all by our names."""


def published_value(model: str, benchmark: str, metric: str) -> Published | None:
    """What others found for a model, by our names; the published run before imagenet-testbed.

    Returns:
        None where neither has a value.
    """
    name = (model, benchmark, metric)
    return values_of(PUBLISHED).get(name) or values_of(TESTBED).get(name)


def in_points(value: float, metric: str) -> float:
    """A value in our unit as percentage points, the unit in which sources are compared."""
    return value if metric in _IN_PERCENT else value * 100


@cache
def values_of(source: str) -> Values:
    """All that one source measured.

    Args:
        source: PUBLISHED or TESTBED. AlexNet is there by its testbed values only.
    """
    values: Values = {}
    for key, value in _published() if source == PUBLISHED else _testbed():
        values.setdefault(key, value)
    return values


def _rules(source: str) -> list[_Rule]:
    """Rows of source_scores.csv.

    The testbed's ImageNet-C is not comparable: its pictures are re-cropped copies, on which
    AlexNet's mCE is 102.3, not 100.
    """
    return [
        _Rule(
            row["their_benchmark"],
            row["their_metric"],
            row["benchmark"],
            row["metric"],
            int(row["decimals_known"]) if row["decimals_known"] else None,
            row["comparable"] == "yes",
        )
        for row in read_table("source_scores.csv")
        if row["source"] == source
    ]


def _published() -> Iterator[tuple[tuple[str, str, str], Published]]:
    rows = read_table("published_results.csv")
    for rule in _rules(PUBLISHED):
        for row in rows:
            if (row["benchmark"], row["metric"]) == (rule.their_benchmark, rule.their_metric):
                percent = row["unit"] == "percent"
                yield _entry(row["model"], rule, Decimal(row["value"]), percent, PUBLISHED)


def _testbed() -> Iterator[tuple[tuple[str, str, str], Published]]:
    rows = read_table("testbed_reference.csv")
    for rule in _rules(TESTBED):
        for row in rows:
            if row[rule.their_metric]:
                # AlexNet, not a model of the published table, is in brackets.
                model = row["name"].strip("()")
                yield _entry(model, rule, Decimal(row[rule.their_metric]), True, TESTBED)


def _entry(
    model: str, rule: _Rule, value: Decimal, percent: bool, source: str
) -> tuple[tuple[str, str, str], Published]:
    if percent and rule.metric not in _IN_PERCENT:
        value /= 100  # decimal, so that 76.1 % is 0.761
    found = Published(float(value), source, rule.comparable, rule.decimals_known)
    return (model, rule.benchmark, rule.metric), found
