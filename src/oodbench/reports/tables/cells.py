"""Text of one cell of the wide table."""

import math

from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.published.values import PUBLISHED, Published, published_value
from oodbench.runs.results import RunResult

ABSENT = "–"
FAILED = "failed"
DOUBTFUL = "!"

DECIMALS = {"fraction": 1, "percent": 1, "distance": 2, "ratio": 2, "nats": 2}
"""Of a score in points, by its unit."""


def cell_text(result: RunResult, metric: str, score: Score | None) -> str:
    """Value, interval, what was published, and marks: `76.1 [75.7, 76.5] (pub. 76.1, +0.0)`.

    Args:
        result: the run.
        metric: name of the score.
        score: None or NaN where there is no value, which shows as a dash, never as 0.
    """
    parts = [ABSENT]
    if score is not None and not math.isnan(score.value):
        parts = [_value(score), _beside(score, comparison(result, metric))]
    return " ".join(filter(None, [*parts, *marks(result)]))


def comparison(result: RunResult, metric: str) -> Published | None:
    """What others found doing the same; None for demo data and for a run with a difference."""
    if result.demo or result.difference:
        return None
    return published_value(result.model, result.benchmark, metric)


def _value(score: Score) -> str:
    scale, decimals = TO_POINTS[score.unit], DECIMALS[score.unit]
    text = f"{score.value * scale:.{decimals}f}"
    if math.isnan(score.low):
        return text
    return f"{text} [{score.low * scale:.{decimals}f}, {score.high * scale:.{decimals}f}]"


def _beside(score: Score, published: Published | None) -> str:
    if published is None:
        return ""
    scale, decimals = TO_POINTS[score.unit], DECIMALS[score.unit]
    name = "pub." if published.source == PUBLISHED else "testbed"
    value = f"{published.value * scale:.{decimals}f}"
    if not published.comparable:
        return f"({name} {value}, other protocol)"
    # Adding 0.0 turns the -0.0 of a rounded small difference into 0.0.
    difference = round((score.value - published.value) * scale, decimals) + 0.0
    return f"({name} {value}, {difference:+.{decimals}f})"


def marks(result: RunResult) -> list[str]:
    """What must be known of a run beside its number."""
    found = []
    if result.demo:
        found.append(f"demo {result.n_images}")
    elif result.status == "partial":
        found.append(f"partial {result.n_images}/{result.n_expected}")
    if not result.is_count_known:
        found.append("count unknown")
    if result.skipped:
        found.append(f"skipped {len(result.skipped)}")
    if result.extension:
        found.append("ext.")
    if result.attack_warnings:
        found.append(DOUBTFUL)
    return found
