"""One measured score against every source that has it: pass, explained or unexplained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oodbench.reports.published.known_gaps import KnownGap, known_gap, same_pipeline
from oodbench.reports.published.sources import Reference, references
from oodbench.reports.published.tolerances import Tolerance, tolerance

Verdict = Literal["unexplained", "explained", "pass"]

ROUNDING = 1e-9
"""Points by which rounding may push a difference over a limit."""


@dataclass(frozen=True)
class Measurement:
    """A score of ours.

    Attributes:
        preprocessing: as the command line names it.
        pipeline: its steps, see `oodbench.reports.published.pipelines`.
        value: percentage points.
        n: how many items it rests on.
        key: of the run.
    """

    model: str
    benchmark: str
    metric: str
    preprocessing: str
    pipeline: str
    value: float
    n: int
    key: str = ""


@dataclass(frozen=True)
class Comparison:
    """A measurement against one reference.

    Attributes:
        measured: ours.
        reference: theirs.
        difference: ours minus theirs in percentage points; None where it would mean nothing.
        tolerance: in percentage points; None where nothing is subtracted.
        verdict: pass (within the tolerance), explained (a known gap) or unexplained.
        reason: why.
    """

    measured: Measurement
    reference: Reference
    difference: float | None
    tolerance: float | None
    verdict: Verdict
    reason: str


def compare_with_sources(measured: Measurement) -> list[Comparison]:
    """A measurement against every source that has a value for it; empty where none has.

    Within the tolerance it passes. Beyond it, on the pipeline of the reference, only a known gap
    whose limits hold the difference explains it. On another pipeline a known gap explains it where
    the measurement agrees with a source of its own pipeline, or, where there is no such source,
    where the gap's limits hold the difference.

    Raises:
        LookupError: tolerances.csv has no row for one of the references.
    """
    found = references(measured.model, measured.benchmark, measured.metric)
    own = [reference for reference in found if same_pipeline(measured.pipeline, reference)]
    agrees = any(_within(measured, reference) for reference in own)
    return [_compare(measured, reference, own, agrees) for reference in found]


def _compare(
    measured: Measurement, reference: Reference, own: Sequence[Reference], agrees: bool
) -> Comparison:
    gap = known_gap(
        measured.model, measured.benchmark, measured.metric, measured.pipeline, reference
    )
    if gap is not None and not gap.subtracted:
        return Comparison(measured, reference, None, None, "explained", gap.reason)
    allowed = _tolerance(measured, reference)
    difference = measured.value - reference.value
    verdict, reason = _verdict(
        difference, allowed, gap, same=reference in own, has_own=bool(own), agrees=agrees
    )
    return Comparison(measured, reference, difference, allowed.points, verdict, reason)


def _verdict(
    difference: float,
    allowed: Tolerance,
    gap: KnownGap | None,
    *,
    same: bool,
    has_own: bool,
    agrees: bool,
) -> tuple[Verdict, str]:
    if abs(difference) <= allowed.points + ROUNDING:
        return "pass", allowed.reason if gap is None else gap.reason
    by_limits = same or not has_own
    if gap is not None and (gap.contains(difference) if by_limits else agrees):
        return "explained", gap.reason
    if same:
        return "unexplained", "beyond the tolerance, on the pipeline of the source"
    if gap is None:
        return "unexplained", "another pipeline, and no gap between the two is known"
    if has_own:
        return "unexplained", "it disagrees with the source of its own pipeline as well"
    return "unexplained", f"outside the known gap of {gap.low:+g} to {gap.high:+g} ({gap.reason})"


def _within(measured: Measurement, reference: Reference) -> bool:
    allowed = _tolerance(measured, reference).points
    return abs(measured.value - reference.value) <= allowed + ROUNDING


def _tolerance(measured: Measurement, reference: Reference) -> Tolerance:
    found = tolerance(
        measured.model, measured.benchmark, measured.metric, reference, max(measured.n, 1)
    )
    if found is None:
        raise LookupError(
            f"tolerances.csv: no row for {measured.benchmark} {measured.metric} "
            f"against {reference.source}"
        )
    return found
