"""Accuracy under a shift against accuracy without it, among public models (Taori et al. 2020)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.diagnostics.effective_robustness import LogitLine, fit_on_logits, logit
from oodbench.metrics.score import Score
from oodbench.reference import Baseline, baselines
from oodbench.reports.comparisons.spread import headline_of
from oodbench.reports.figures.dots import Dot, draw_dots, draw_mark, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.labels import Label, place_labels
from oodbench.reports.figures.marks import (
    column_of,
    file_name,
    marks,
    note,
    said_marks,
    short,
    title_of,
)
from oodbench.reports.figures.style import (
    FAINT,
    INK,
    MUTED,
    ONE_COLUMN,
    TWO_COLUMNS,
    colour,
    new_drawing,
    say,
    say_each,
)
from oodbench.runs.results import RunResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

SECTION = "Effective robustness"

FITTED = ("imagenet-testbed", "standard")
"""Source and group of the baselines that the line is fitted to: networks trained on ImageNet alone,
without anything that is meant to make them robust."""

_TICKS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 99.9)
_MOST_ROWS = 60
_MOST_NAMES = 12
_EDGE = 0.25
"""Logits that 0 and 100 % stand beyond the outermost mark."""


@dataclass(frozen=True)
class _Point:
    """A model's two runs."""

    name: str
    standard: Score
    shifted: Score
    runs: tuple[RunResult, RunResult]

    @property
    def whole(self) -> bool:
        return not any(marks(run) for run in self.runs)

    @property
    def words(self) -> str:
        said = said_marks(self.runs[1]) or said_marks(self.runs[0])
        return (
            f"{self.name}: {_percent(self.standard.value)} without, "
            f"{_percent(self.shifted.value)} under the shift{said}"
        )


def effective_robustness(shown: Mapping[str, Mapping[str, RunResult]]) -> list[Figure]:
    """One figure for each shifted set of which, and of its control, some model has a run.

    Args:
        shown: runs by benchmark and name.
    """
    found = []
    for runs in shown.values():
        column = column_of(next(iter(runs.values())))
        points = _points(runs, shown.get(column.standard, {}))
        if points:
            found.append(_figure(points))
    return found


def _points(shifted: Mapping[str, RunResult], standard: Mapping[str, RunResult]) -> list[_Point]:
    points = []
    for name, run in shifted.items():
        other = standard.get(name)
        scores = headline_of(run), None if other is None else headline_of(other)
        if other is not None and scores[0] is not None and scores[1] is not None:
            points.append(_Point(name, scores[1], scores[0], (other, run)))
    return [p for p in points if not math.isnan(p.standard.value + p.shifted.value)]


def _figure(points: Sequence[_Point]) -> Figure:
    standard, shifted = points[0].runs
    column = column_of(shifted)
    keys = (column_of(standard).baselines, column.baselines)
    others = [one for one in baselines() if all(key in one.top1 for key in keys)]
    fitted = [one for one in others if (one.source, one.group) == FITTED]
    line = None
    if not column.no_fit:
        line = fit_on_logits(*([one.top1[key] for one in fitted] for key in keys))
    table = _table(points, line)
    return Figure(
        name=f"effective_robustness_{file_name(shifted.benchmark)}",
        section=SECTION,
        title=f"{title_of(shifted)} against {title_of(standard)}",
        caption=_caption(points, others, line, column.no_fit),
        description=_description(table, points, len(others)),
        table=table,
        draw=partial(_draw, points, others, keys, line),
    )


def _caption(
    points: Sequence[_Point], others: Sequence[Baseline], line: LogitLine | None, no_fit: str
) -> str:
    standard, shifted = points[0].runs
    said = (
        f"Top-1 accuracy on {title_of(shifted)} against that on {title_of(standard)}, both axes in "
        "logits. Broken line: no loss under the shift."
    )
    if others:
        said += (
            f" Grey: {len(others)} public models as timm and imagenet-testbed measured them, with "
            "their own preprocessing."
        )
    if line is not None:
        said += (
            f" Line: least squares on the logits of the {line.n} standard models of "
            f"imagenet-testbed (darker), slope {line.slope:.2f}, intercept {line.intercept:.2f}. "
            "Right: effective robustness, the points above the line (Taori et al. 2020), with the "
            "95 % interval of the accuracy under the shift."
        )
    elif no_fit:
        said += f" No line is fitted: {no_fit}."
    if (left := len(_ranked(points, line)) - _MOST_ROWS) > 0:
        said += f" {left} more models are in the numbers alone."
    said += " 0 and 100 % have no logit: they stand at the edge and in no fit."
    return said + note(run for point in points for run in point.runs[1:])


def _description(table: pd.DataFrame, points: Sequence[_Point], n_others: int) -> str:
    standard, shifted = points[0].runs
    said = (
        f"Scatter plot of {len(points)} model{'s' if len(points) > 1 else ''} before "
        f"{n_others} public ones. "
    )
    if "effective robustness" in table and table["effective robustness"].notna().any():
        ranked = table.sort_values("effective robustness")
        low, high = ranked.iloc[0], ranked.iloc[-1]
        return (
            f"{said}Effective robustness on {title_of(shifted)} goes from "
            f"{low['effective robustness']:+.1f} points ({low['model']}) to "
            f"{high['effective robustness']:+.1f} points ({high['model']})."
        )
    ranked = table.sort_values(table.columns[2])
    low, high = ranked.iloc[0], ranked.iloc[-1]
    return (
        f"{said}Accuracy on {title_of(shifted)} goes from {low.iloc[2]:.1f} % ({low['model']}, "
        f"{low.iloc[1]:.1f} % on {title_of(standard)}) to {high.iloc[2]:.1f} % ({high['model']}, "
        f"{high.iloc[1]:.1f} %)."
    )


def _table(points: Sequence[_Point], line: LogitLine | None) -> pd.DataFrame:
    standard, shifted = points[0].runs
    rows = []
    for point in points:
        row = {
            "model": point.name,
            f"{title_of(standard)} (%)": 100 * point.standard.value,
            f"{title_of(shifted)} (%)": 100 * point.shifted.value,
        }
        if line is not None:
            expected = 100 * float(line.predicted(point.standard.value))
            usable = 0 < point.standard.value < 1
            residuals = [
                100 * value - expected if usable else math.nan
                for value in (point.shifted.value, point.shifted.low, point.shifted.high)
            ]
            row["expected (%)"] = expected if usable else math.nan
            row |= dict(zip(("effective robustness", "low", "high"), residuals, strict=True))
        row |= {"n": point.shifted.n, "marks": ", ".join(marks(point.runs[1]))}
        rows.append(row)
    return pd.DataFrame(rows)


def _draw(
    points: Sequence[_Point],
    others: Sequence[Baseline],
    keys: tuple[str, str],
    line: LogitLine | None,
) -> "Drawing":
    ranked = _ranked(points, line)[:_MOST_ROWS]
    if line is None or not ranked:
        drawing = new_drawing(ONE_COLUMN, ONE_COLUMN)
        _scatter(drawing.add_subplot(), points, others, keys, line)
        return drawing
    drawing = new_drawing(TWO_COLUMNS, max(80.0, 14 + 3.2 * len(ranked)))
    left, right = drawing.subplots(1, 2, width_ratios=(1.25, 1))
    left.set_box_aspect(1)
    left.set_anchor("N")
    _residuals(right, ranked)
    _scatter(left, points, others, keys, line)
    return drawing


def _scatter(
    axes: "Axes",
    points: Sequence[_Point],
    others: Sequence[Baseline],
    keys: tuple[str, str],
    line: LogitLine | None,
) -> None:
    own = logit([[point.standard.value, point.shifted.value] for point in points])
    cloud = logit([[one.top1[key] for key in keys] for one in others]).reshape(-1, 2)
    limits = [_limits(own[:, axis], cloud[:, axis]) for axis in (0, 1)]
    for which, (low, high) in zip("xy", limits, strict=True):
        ticks = [tick for tick in _TICKS if low <= float(logit(tick / 100)) <= high]
        getattr(axes, f"set_{which}lim")(low, high)
        getattr(axes, f"set_{which}ticks")(
            [float(logit(tick / 100)) for tick in ticks], [f"{tick:g}" for tick in ticks]
        )
    standard, shifted = points[0].runs
    axes.set_xlabel(f"{title_of(standard)} accuracy (%)")
    axes.set_ylabel(f"{title_of(shifted)} accuracy (%)")
    axes.grid()
    (low_x, high_x), (low_y, high_y) = limits
    for chosen, opacity in ((False, FAINT), (True, MUTED)):
        _cloud(axes, others, cloud, limits, opacity, fitted=chosen)
    ends = np.array([max(low_x, low_y), min(high_x, high_y)])
    if ends[0] < ends[1]:
        axes.plot(ends, ends, color=INK, alpha=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    if line is not None:
        ends = np.array([low_x, high_x])
        axes.plot(ends, line.intercept + line.slope * ends, color=INK, linewidth=1.0)
    residuals = {point.name: residual for point, residual in _ranked(points, line)}
    labels: list[tuple[float, Label]] = []
    for point, place in zip(points, own, strict=True):
        x, y = (
            float(np.clip(value, low, high))
            for value, (low, high) in zip(place, limits, strict=True)
        )
        (mark,) = draw_mark(axes, x, y, colour=colour(0), marker="o", whole=point.whole, size=4.5)
        say(mark, point.words)
        labels.append((abs(residuals.get(point.name, 0.0)), Label(x, y, short(point.name))))
    labels.sort(key=lambda pair: -pair[0])
    place_labels(axes, [label for _, label in labels], cloud, most=_MOST_NAMES)


def _cloud(
    axes: "Axes",
    others: Sequence[Baseline],
    cloud: NDArray[np.float64],
    limits: Sequence[tuple[float, float]],
    opacity: float,
    *,
    fitted: bool,
) -> None:
    places, words = [], []
    for one, place in zip(others, cloud, strict=True):
        seen = all(low <= at <= high for at, (low, high) in zip(place, limits, strict=True))
        if seen and ((one.source, one.group) == FITTED) == fitted:
            places.append(place)
            words.append(f"{one.model} ({one.source})")
    if places:
        x, y = np.array(places).T
        collection = axes.scatter(x, y, s=5, color=INK, alpha=opacity, linewidths=0)
        say_each(collection, words)


def _limits(own: NDArray[np.float64], cloud: NDArray[np.float64]) -> tuple[float, float]:
    """Where an axis begins and ends: all of one's own marks, nearly all others."""
    finite = own[np.isfinite(own)]
    usable = cloud[np.isfinite(cloud)]
    ends = [*finite, *(np.quantile(usable, (0.03, 1.0)) if len(usable) else ())] or [-1.0, 1.0]
    return float(min(ends)) - _EDGE, float(max(ends)) + _EDGE


def _ranked(points: Sequence[_Point], line: LogitLine | None) -> list[tuple[_Point, float]]:
    """Points with their effective robustness, the highest first."""
    if line is None:
        return []
    found = [
        (point, 100 * (point.shifted.value - float(line.predicted(point.standard.value))))
        for point in points
        if 0 < point.standard.value < 1
    ]
    return sorted(found, key=lambda pair: -pair[1])


def _residuals(axes: "Axes", ranked: Sequence[tuple[_Point, float]]) -> None:
    dots = []
    for row, (point, residual) in enumerate(ranked):
        expected = residual - 100 * point.shifted.value
        low, high = (100 * end + expected for end in (point.shifted.low, point.shifted.high))
        words = f"{point.words}; {residual:+.1f} points [{low:+.1f}, {high:+.1f}]"
        dots.append(Dot(row, residual, low, high, point.whole, words))
    name_rows(axes, [point.name for point, _ in ranked])
    draw_dots(axes, dots)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.set_xlabel("Effective robustness (points)")
    axes.grid(axis="x")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
