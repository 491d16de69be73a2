"""What a summary holds, and how it stands in JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from oodbench.metrics.diagnostics.class_counts import ClassCounts
from oodbench.metrics.diagnostics.cue_decisions import CueCounts, CueDecisions
from oodbench.metrics.diagnostics.radius_curve import RadiusCurve
from oodbench.metrics.diagnostics.reliability import Reliability
from oodbench.metrics.diagnostics.risk_coverage import RiskCoverage


@dataclass(frozen=True)
class Summary:
    """Of all scored rows of a run. What its records say nothing about is None.

    Right is a row by `oodbench.metrics.correctness`. Clips, whose headline is not of what is right,
    have none of the first four.

    Attributes:
        n: rows.
        right: how many of them are right.
        classes: counts by class.
        reliability: accuracy by confidence.
        risk: error among the most confident.
        radius: accuracy by radius, of an attack without one of its own.
        cues: decisions for shape or texture.
    """

    n: int
    right: int | None = None
    classes: ClassCounts | None = None
    reliability: Reliability | None = None
    risk: RiskCoverage | None = None
    radius: RadiusCurve | None = None
    cues: CueDecisions | None = None


def content_of(summary: Summary) -> dict[str, Any]:
    """The summary as JSON."""
    return asdict(summary)


def summary_from(content: Mapping[str, Any]) -> Summary:
    """A summary from JSON.

    Raises:
        KeyError, TypeError: it is none.
    """
    found = dict(content)
    kinds = {
        "classes": ClassCounts,
        "reliability": Reliability,
        "risk": RiskCoverage,
        "radius": RadiusCurve,
    }
    for name, kind in kinds.items():
        if found[name] is not None:
            found[name] = kind(**found[name])
    if found["cues"] is not None:
        counts = {name: CueCounts(**one) for name, one in found["cues"]["counts"].items()}
        found["cues"] = CueDecisions(**{**found["cues"], "counts": counts})
    return Summary(**found)
