"""Reliability diagrams and risk-coverage curves, of benchmarks whose headline is an accuracy."""

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oodbench.metrics.diagnostics.reliability import Reliability
from oodbench.metrics.diagnostics.risk_coverage import RiskCoverage
from oodbench.metrics.intervals import wilson
from oodbench.reports.comparisons.spread import headline_of
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.lines import Curve, draw_curves
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, short, title_of
from oodbench.reports.figures.style import INK, MUTED, TWO_COLUMNS, colour, new_drawing, say_each
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_SECTION = "Confidence"
_FEW, _MANY = 3, 6
"""Panels in a row, of few models and of many."""


def confidence(runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> list[Figure]:
    """Two figures of a benchmark with confidences in what its headline counts.

    Args:
        runs: of the benchmark, by name.
        summaries: of those that have one.
    """
    usable = {
        name: summary for name, summary in summaries.items() if counts_the_same(runs[name], summary)
    }
    kept = {name: runs[name] for name in usable}
    bins = {name: one.reliability for name, one in usable.items() if one.reliability}
    risks = {name: one.risk for name, one in usable.items() if one.risk}
    return [_reliability(kept, bins), _risk_coverage(kept, risks)] if bins and risks else []


def counts_the_same(run: RunResult, summary: Summary) -> bool:
    """Whether what is right by the summary is what the headline counts.

    It is not where the headline has other labels, or counts something else than right pictures. A
    headline that is no share, such as mCE, is made of errors in the same predictions.
    """
    score = headline_of(run)
    if score is None or summary.right is None:
        return False
    if score.unit != "fraction":
        return True
    shares = (summary.right / summary.n, 1 - summary.right / summary.n)
    return math.isclose(score.value, shares[not score.higher_is_better], abs_tol=1e-9)


def _reliability(runs: Mapping[str, RunResult], bins: Mapping[str, Reliability]) -> Figure:
    run = next(iter(runs.values()))
    table = pd.DataFrame(
        {
            "model": name,
            "bin": number + 1,
            "confidence (%)": 100 * mean,
            "accuracy (%)": 100 * correct / n,
            "low": 100 * wilson(correct, n).low,
            "high": 100 * wilson(correct, n).high,
            "n": n,
            "marks": ", ".join(marks(runs[name])),
        }
        for name, one in bins.items()
        for number, (n, mean, correct) in enumerate(
            zip(one.n, one.confidence, one.correct, strict=True)
        )
        if mean is not None
    )
    errors = sorted((one.calibration_error, name) for name, one in bins.items())
    return Figure(
        name=f"reliability_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: reliability",
        caption=(
            "Accuracy among pictures of like confidence, in 15 bins of equal width (Guo et al. "
            "2017), with 95 % intervals; the larger a mark, the more pictures. On the diagonal "
            "confidence can be taken at its word, below it the model is overconfident. ECE: "
            "expected calibration error." + note(runs.values(), "Marked with *")
        ),
        description=(
            f"Reliability diagrams of {len(bins)} model{'s' if len(bins) > 1 else ''}. The "
            f"expected calibration error goes from {100 * errors[0][0]:.1f} points "
            f"({errors[0][1]}) to {100 * errors[-1][0]:.1f} points ({errors[-1][1]})."
        ),
        table=table,
        draw=partial(_draw_reliability, runs, bins),
    )


def _draw_reliability(runs: Mapping[str, RunResult], bins: Mapping[str, Reliability]) -> "Drawing":
    across = min(len(bins), _FEW if len(bins) <= _FEW else _MANY)
    down = math.ceil(len(bins) / across)
    side = (TWO_COLUMNS - 12) / max(across, 2)
    drawing = new_drawing(12 + across * side, 11 + down * (side + (2 if across <= _FEW else 0)))
    panels = drawing.subplots(down, across, squeeze=False)
    for panel, (name, one) in zip(panels.flat, bins.items(), strict=False):
        _draw_panel(panel, name, one, runs[name])
        panel.set_title(
            short(name) + "*" * bool(marks(runs[name])), fontsize=7 if across <= _FEW else 5
        )
    for number, panel in enumerate(panels.flat):
        panel.set_visible(number < len(bins))
        panel.tick_params(labelbottom=number + across >= len(bins), labelleft=number % across == 0)
    drawing.supxlabel("Confidence (%)", fontsize=7)
    drawing.supylabel("Accuracy (%)", fontsize=7)
    return drawing


def _draw_panel(axes: "Axes", name: str, one: Reliability, run: RunResult) -> None:
    axes.plot([0, 100], [0, 100], color=INK, alpha=MUTED, linewidth=0.7, linestyle=(0, (4, 3)))
    bins = [
        (n, 100 * mean, correct)
        for n, mean, correct in zip(one.n, one.confidence, one.correct, strict=True)
        if mean is not None
    ]
    x = [mean for _, mean, _ in bins]
    y = [100 * correct / n for n, _, correct in bins]
    ends = [wilson(correct, n) for n, _, correct in bins]
    axes.vlines(
        x,
        [100 * low for low, _ in ends],
        [100 * high for _, high in ends],
        color=colour(0),
        alpha=MUTED,
        linewidth=0.6,
    )
    total = sum(one.n)
    sides = [1.5 + 5.5 * math.sqrt(n / total) for n, _, _ in bins]
    collection = axes.scatter(
        x, y, s=[side**2 for side in sides], color=colour(0), linewidths=0, clip_on=False, zorder=3
    )
    say_each(
        collection,
        [
            f"{name}: confidence {mean:.1f} %, accuracy {100 * correct / n:.1f} % of {n}"
            f"{said_marks(run)}"
            for n, mean, correct in bins
        ],
    )
    axes.plot(x, y, color=colour(0), linewidth=0.8, alpha=MUTED)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 50, 100])
    axes.set_box_aspect(1)
    axes.text(
        0.04,
        0.96,
        f"ECE {100 * one.calibration_error:.1f}",
        transform=axes.transAxes,
        va="top",
        fontsize=6,
    )


def _risk_coverage(runs: Mapping[str, RunResult], risks: Mapping[str, RiskCoverage]) -> Figure:
    run = next(iter(runs.values()))
    ranked = sorted((one.aurc, name) for name, one in risks.items())
    table = pd.DataFrame(
        {
            "model": name,
            "coverage (%)": 100 * coverage,
            "risk (%)": 100 * risk,
            "AURC (%)": 100 * one.aurc,
            "marks": ", ".join(marks(runs[name])),
        }
        for name, one in risks.items()
        for coverage, risk in zip(one.coverage, one.risk, strict=True)
    )
    return Figure(
        name=f"risk_coverage_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: risk by coverage",
        caption=(
            "Error among the pictures that a model is most confident of, by how many of them are "
            "kept (Geifman and El-Yaniv 2017). AURC: area under the curve, lower is better."
            + note(runs.values())
        ),
        description=(
            f"Risk-coverage curves of {len(risks)} model{'s' if len(risks) > 1 else ''}. The area "
            f"under the curve goes from {100 * ranked[0][0]:.1f} % ({ranked[0][1]}) to "
            f"{100 * ranked[-1][0]:.1f} % ({ranked[-1][1]})."
        ),
        table=table,
        draw=partial(_draw_risks, runs, risks),
    )


def _draw_risks(runs: Mapping[str, RunResult], risks: Mapping[str, RiskCoverage]) -> "Drawing":
    drawing = new_drawing(0.7 * TWO_COLUMNS, 62)
    axes = drawing.add_subplot()
    curves = [
        Curve(
            name,
            (100 * np.array(one.coverage)).tolist(),
            (100 * np.array(one.risk)).tolist(),
            one.aurc,
            not marks(runs[name]),
            f"AURC {100 * one.aurc:.1f} %{said_marks(runs[name])}",
        )
        for name, one in risks.items()
    ]
    draw_curves(axes, curves)
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Coverage (%)")
    axes.set_ylabel("Risk: error (%)")
    axes.grid()
    return drawing
