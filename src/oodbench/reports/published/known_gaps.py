"""Differences between pipelines that are known and have a reason: reference/known_gaps.csv."""

from dataclasses import dataclass

from oodbench.reference import read_table
from oodbench.reports.published.pipelines import published_pipeline, timm_pipeline
from oodbench.reports.published.sources import Reference
from oodbench.reports.published.tolerances import matches


@dataclass(frozen=True)
class KnownGap:
    """Why ours and a reference differ.

    Attributes:
        low, high: limits of ours minus theirs in percentage points; None: never subtracted.
        reason: one sentence.
    """

    low: float | None
    high: float | None
    reason: str

    @property
    def subtracted(self) -> bool:
        """Whether the difference between the two means anything."""
        return self.low is not None and self.high is not None

    def contains(self, difference: float) -> bool:
        """Whether a difference in points lies within the limits."""
        return (
            self.low is not None and self.high is not None and self.low <= difference <= self.high
        )


def same_pipeline(pipeline: str, reference: Reference) -> bool:
    """Whether a reference was made as ours was: same preprocessing, nothing else different."""
    return reference.protocol == "" and reference.pipeline == pipeline


def known_gap(
    model: str, benchmark: str, metric: str, pipeline: str, reference: Reference
) -> KnownGap | None:
    """The first row of known_gaps.csv that fits.

    Its column `pipeline` names ours: `published` or `timm` (where the reference's is another),
    `same` (as the reference's), `other` (whatever is not the reference's) or `*`.

    Args:
        pipeline: ours, as `oodbench.reports.published.pipelines` writes it.
    """
    names = (model, benchmark, metric, reference.source)
    ours = _names(model, benchmark, pipeline, reference)
    for row in read_table("known_gaps.csv"):
        patterns = (row["model"], row["benchmark"], row["metric"], row["against"])
        fits = row["pipeline"] in ours and row["protocol"] == reference.protocol
        if fits and matches(patterns, names):
            return KnownGap(_limit(row["low"]), _limit(row["high"]), row["reason"])
    return None


def _names(model: str, benchmark: str, pipeline: str, reference: Reference) -> set[str]:
    """By what our pipeline may be called in known_gaps.csv."""
    if same_pipeline(pipeline, reference):
        return {"*", "same"}
    names = {"*", "other"}
    if pipeline == published_pipeline(model, benchmark):
        names.add("published")
    if pipeline == timm_pipeline(model):
        names.add("timm")
    return names


def _limit(text: str) -> float | None:
    return float(text) if text else None
