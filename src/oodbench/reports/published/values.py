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
    """Where in a shipped table a score of ours stands; of several rules the first one wins."""

    theirs: str
    their_metric: str
    ours: str
    our_metric: str
    decimals_known: int | None = None
    comparable: bool = True


_PUBLISHED_RULES = (
    _Rule("imagenet_val", "top1_acc_rounded", "imagenet", "top1", decimals_known=1),
    _Rule("imagenet_a", "top1_acc", "imagenet_a", "top1"),
    _Rule("imagenet_a", "top1_acc_rounded", "imagenet_a", "top1", decimals_known=1),
    _Rule("imagenet_a", "rms_calib_err", "imagenet_a", "rms_calibration_error_published"),
    _Rule("imagenet_a", "aurra", "imagenet_a", "aurra"),
    _Rule("imagenet_sketch", "top1_acc", "imagenet_sketch", "top1"),
    _Rule("cue_conflict", "frac_shape", "cue_conflict", "shape_bias"),
    _Rule("cue_conflict", "frac_texture", "cue_conflict", "texture_bias"),
    _Rule("cue_conflict", "frac_correct", "cue_conflict", "fraction_correct"),
    _Rule("whitebox_pgd", "adv_top1_acc", "adversarial", "adversarial_accuracy"),
    _Rule(
        "whitebox_pgd",
        "adv_top1_acc_rounded",
        "adversarial",
        "adversarial_accuracy",
        decimals_known=1,
    ),
)

# The testbed's ImageNet-C pictures are re-cropped copies: AlexNet's mCE is 102.3 on them, not 100.
_TESTBED_RULES = (
    _Rule("", "val", "imagenet", "top1"),
    _Rule("", "imagenet-a", "imagenet_a", "top1"),
    _Rule("", "imagenet-sketch", "imagenet_sketch", "top1"),
    _Rule("", "mCE_15_on_disk", "imagenet_c", "mce", comparable=False),
)

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


def _published() -> Iterator[tuple[tuple[str, str, str], Published]]:
    rows = read_table("published_results.csv")
    for rule in _PUBLISHED_RULES:
        for row in rows:
            if (row["benchmark"], row["metric"]) == (rule.theirs, rule.their_metric):
                percent = row["unit"] == "percent"
                yield _entry(row["model"], rule, Decimal(row["value"]), percent, PUBLISHED)


def _testbed() -> Iterator[tuple[tuple[str, str, str], Published]]:
    rows = read_table("testbed_reference.csv")
    for rule in _TESTBED_RULES:
        for row in rows:
            if row[rule.their_metric]:
                # AlexNet, not a model of the published table, is in brackets.
                model = row["name"].strip("()")
                yield _entry(model, rule, Decimal(row[rule.their_metric]), True, TESTBED)


def _entry(
    model: str, rule: _Rule, value: Decimal, percent: bool, source: str
) -> tuple[tuple[str, str, str], Published]:
    if percent and rule.our_metric not in _IN_PERCENT:
        value /= 100  # decimal, so that 76.1 % is 0.761
    found = Published(float(value), source, rule.comparable, rule.decimals_known)
    return (model, rule.ours, rule.our_metric), found
