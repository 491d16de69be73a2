"""Accuracy under attack against the attack's iterations and against its radius."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from oodbench.core.errors import visible
from oodbench.reports.comparisons.spread import headline_of
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.lines import Curve, draw_curves
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, title_of
from oodbench.reports.figures.style import TWO_COLUMNS, new_drawing
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_SECTION = "Attacks"
_CLEAN = "clean_accuracy"
_MOST_NAMED = 3


def attacks(runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> list[Figure]:
    """Two figures of an attacked benchmark: iterations, and radius where several are known.

    Args:
        runs: of the benchmark, by name.
        summaries: of those that have one.
    """
    attacked = {name: run for name, run in runs.items() if run.attack_report}
    curves = [curve for name, run in attacked.items() if (curve := _of_iterations(name, run))]
    return [
        *([_iterations(attacked, curves)] if curves else []),
        *(_radii(attacked, norm, radii) for norm, radii in _of_radii(attacked, summaries).items()),
    ]


def _of_iterations(name: str, run: RunResult) -> Curve | None:
    """None of an attack without steps."""
    report = run.attack_report or {}
    if len(report["iterations"]) < 2:
        return None
    last = 100 * report["accuracy_after"][-1]
    return Curve(
        name,
        report["iterations"],
        [100 * share for share in report["accuracy_after"]],
        -last,
        not marks(run),
        f"{last:.1f} %{said_marks(run)}",
        [100 * share for share in report["strict_accuracy_after"]],
    )


def _iterations(runs: Mapping[str, RunResult], curves: Sequence[Curve]) -> Figure:
    run = next(iter(runs.values()))
    table = pd.DataFrame(
        {
            "model": curve.name,
            "attack": runs[curve.name].attack,
            "iterations": after,
            "accuracy (%)": y,
            "strict accuracy (%)": strict,
            "marks": ", ".join([*marks(runs[curve.name]), *runs[curve.name].attack_warnings]),
        }
        for curve in curves
        for after, y, strict in zip(curve.x, curve.y, curve.second, strict=True)
    )
    low, *_, high = sorted([*curves, *curves], key=lambda curve: curve.y[-1])
    return Figure(
        name=f"attack_iterations_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: accuracy by iterations of the attack",
        caption=(
            "Accuracy after so many iterations. Broken: by the strict rule, by which a picture is "
            f"lost at its first misclassification. {_checks(runs.values())}" + note(runs.values())
        ),
        description=(
            f"Curves of {len(curves)} attacked run{'s' if len(curves) > 1 else ''}. At the end the "
            f"accuracy goes from {low.y[-1]:.1f} % ({low.name}) to {high.y[-1]:.1f} % "
            f"({high.name})."
        ),
        table=table,
        draw=partial(_draw, curves, "Iterations", steps=True),
    )


def _checks(runs: Iterable[RunResult]) -> str:
    """What the checks of the attacks say, in one sentence."""
    warned: dict[str, list[str]] = {}
    n_runs = 0
    for run in runs:
        n_runs += 1
        for check in run.attack_warnings:
            warned.setdefault(check, []).append(visible(run.model))
    if not warned:
        return "No check of the attack warns."
    said = []
    for name, models in warned.items():
        few = len(models) <= _MOST_NAMED
        of = ", ".join(dict.fromkeys(models)) if few else f"{len(models)} of {n_runs} runs"
        said.append(f"{name} ({of})")
    return f"Checks of the attack that warn: {'; '.join(said)}."


def _of_radii(
    runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]
) -> dict[str, list[Curve]]:
    """Curves by norm, from single runs without a radius and from several runs that differ in it."""
    found: dict[str, list[Curve]] = {}
    groups: dict[str, list[RunResult]] = {}
    for name, run in runs.items():
        summary = summaries.get(name)
        if summary is not None and summary.radius is not None:
            radius = summary.radius
            curve = Curve(
                name,
                radius.eps,
                [100 * share for share in radius.accuracy],
                -_area(radius.eps, radius.accuracy),
                not marks(run),
                f"{visible(run.attack)}{said_marks(run)}",
            )
            found.setdefault(radius.norm, []).append(curve)
        elif run.attack_traits is not None and run.attack_traits.bounded:
            groups.setdefault(_but_eps(run), []).append(run)
    for group in groups.values():
        points = {_eps(run): run for run in group if headline_of(run) is not None}
        if len(points) > 1:
            curve = _joined(points)
            norm = next(iter(points.values())).attack_traits
            assert norm is not None
            found.setdefault(norm.norm, []).append(curve)
    return found


def _joined(points: Mapping[float, RunResult]) -> Curve:
    """Accuracy of runs by their radius; at 0 without an attack."""
    runs = [points[eps] for eps in sorted(points)]
    x, y = sorted(points), [_accuracy(run) for run in runs]
    clean = runs[0].scores.get("", {}).get(_CLEAN)
    if clean is not None and x[0] > 0:
        x, y = [0.0, *x], [clean.value, *y]
    said = said_marks(next((run for run in runs if marks(run)), runs[0]))
    return Curve(
        visible(runs[0].model),
        x,
        [100 * share for share in y],
        -_area(x, y),
        not any(marks(run) for run in runs),
        f"{visible(runs[0].attack)}, {len(runs)} radii{said}",
    )


def _but_eps(run: RunResult) -> str:
    """What runs of one curve share: all that changes numbers but the radius."""
    config = {key: value for key, value in run.config.items() if key != "attack"}
    attack = {key: value for key, value in run.config["attack"].items() if key != "eps"}
    shared = (run.model, run.benchmark, run.weights, run.dataset_fingerprint, config, attack)
    return json.dumps(shared, sort_keys=True, default=str)


def _eps(run: RunResult) -> float:
    assert run.attack_traits is not None
    return run.attack_traits.eps or 0.0


def _accuracy(run: RunResult) -> float:
    score = headline_of(run)
    return math.nan if score is None else score.value


def _area(x: Sequence[float], y: Sequence[float]) -> float:
    """Under a line through the points, over its length."""
    steps = zip(x, x[1:], y, y[1:], strict=False)
    length = x[-1] - x[0]
    return sum((b - a) * (p + q) / 2 for a, b, p, q in steps) / length if length else y[0]


def _radii(runs: Mapping[str, RunResult], norm: str, curves: Sequence[Curve]) -> Figure:
    run = next(iter(runs.values()))
    table = pd.DataFrame(
        {"model": curve.name, "attack": curve.words, "eps": eps, "accuracy (%)": accuracy}
        for curve in curves
        for eps, accuracy in zip(curve.x, curve.y, strict=True)
    )
    low, *_, high = sorted([*curves, *curves], key=lambda curve: curve.y[-1])
    return Figure(
        name=f"attack_radius_{norm}_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: accuracy by radius ({_NORMS.get(norm, norm)})",
        caption=(
            f"Accuracy within a radius in the {_NORMS.get(norm, norm)} norm, for pixels in [0, 1]: "
            "of attacks that look for the nearest adversarial picture from one run, of others from "
            f"runs of several radii. {_checks(runs.values())}" + note(runs.values())
        ),
        description=(
            f"Curves of {len(curves)} model{'s' if len(curves) > 1 else ''}. At the largest radius "
            f"the accuracy goes from {low.y[-1]:.1f} % ({low.name}) to {high.y[-1]:.1f} % "
            f"({high.name})."
        ),
        table=table,
        draw=partial(_draw, curves, f"Radius ({_NORMS.get(norm, norm)})", steps=False),
    )


_NORMS = {"linf": "l∞", "l2": "l2"}


def _draw(curves: Sequence[Curve], label: str, *, steps: bool) -> "Drawing":
    drawing = new_drawing(0.7 * TWO_COLUMNS, 62)
    axes = drawing.add_subplot()
    draw_curves(axes, curves, steps=steps)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 100)
    axes.set_xlabel(label)
    axes.set_ylabel("Accuracy (%)")
    axes.grid()
    return drawing
