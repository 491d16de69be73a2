"""Whether models err on the same stimuli as people do, and as each other (Geirhos et al. 2020)."""

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.diagnostics.error_consistency import error_consistency as kappa
from oodbench.reference import cue_conflict_people
from oodbench.reports.figures.dots import draw_mark, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, short, title_of
from oodbench.reports.figures.matrix import Scale, draw_matrix
from oodbench.reports.figures.shape_bias import cues_of
from oodbench.reports.figures.style import FAINT, INK, MUTED, ONE_COLUMN, colour, new_drawing, say
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Right = Mapping[str, bool]
"""Whether each stimulus with a conflict was called by its shape, by its file name."""

_SECTION = "Shape and texture"
_SOURCE = (
    "Cohen's kappa of which stimuli with a conflict are called by their shape (error consistency, "
    "Geirhos et al. 2020): 1 where two observers err on the same stimuli, 0 where they err "
    "independently."
)


def error_consistency(
    runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]
) -> list[Figure]:
    """Figures of a benchmark of which runs decide for shape or texture: people, and models.

    Args:
        runs: of the benchmark, by name.
        summaries: of those that have one.
    """
    right = {
        name: summary.cues.right()
        for name, summary in summaries.items()
        if summary.cues is not None
    }
    # Demo stimuli have names of real ones, and other pictures.
    real = {name: one for name, one in right.items() if not runs[name].demo}
    with_people = pd.DataFrame(_beside_people(runs, real))
    pairs = pd.DataFrame(_pairs(runs, right))
    return [
        *([] if with_people.empty else [_figure_of_people(runs, with_people)]),
        *([] if pairs.empty else [_figure_of_models(runs, list(right), pairs)]),
    ]


@cache
def people() -> Mapping[str, Right]:
    """Which stimuli with a conflict each of the ten people called by their shape."""
    found: dict[str, dict[str, bool]] = {}
    for stimulus, answers in cue_conflict_people().items():
        shape, texture = cues_of(stimulus)
        if shape != texture:
            for person, answer in answers.items():
                found.setdefault(person, {})[stimulus] = answer == shape
    return found


@cache
def between_people() -> tuple[float, ...]:
    """Kappa of each pair of people."""
    return tuple(consistency(one, other)[0] for one, other in combinations(people().values(), 2))


def consistency(one: Right, other: Right) -> tuple[float, int]:
    """Kappa on the stimuli that both saw, and how many these are; NaN where there is none."""
    both = [name for name in one if name in other]
    if not both:
        return math.nan, 0
    first, second = (np.array([right[name] for name in both]) for right in (one, other))
    return kappa(first, second), len(both)


def _beside_people(
    runs: Mapping[str, RunResult], right: Mapping[str, Right]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, own in right.items():
        for person, theirs in people().items():
            value, n = consistency(own, theirs)
            if n:
                said = ", ".join(marks(runs[name]))
                rows.append(
                    {"model": name, "person": person, "kappa": value, "n": n, "marks": said}
                )
    return rows


def _pairs(runs: Mapping[str, RunResult], right: Mapping[str, Right]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for one, other in combinations(right, 2):
        value, n = consistency(right[one], right[other])
        said = "; ".join(", ".join(marks(runs[name])) for name in (one, other) if marks(runs[name]))
        rows.append({"model": one, "other": other, "kappa": value, "n": n, "marks": said})
    return rows


def _figure_of_people(runs: Mapping[str, RunResult], table: pd.DataFrame) -> Figure:
    means = table.groupby("model", sort=False)["kappa"].mean().dropna().sort_values()
    kept = {name: run for name, run in runs.items() if name in set(table["model"])}
    run = next(iter(kept.values()))
    human = between_people()
    ends = ""
    if len(means):
        ends = (
            f" The mean goes from {means.iloc[0]:.2f} ({means.index[0]}) to {means.iloc[-1]:.2f} "
            f"({means.index[-1]})."
        )
    return Figure(
        name=f"error_consistency_people_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: error consistency with people",
        caption=(
            f"{_SOURCE} Small marks: each of ten people; large ones: their mean. Band: all pairs "
            f"of people, line: their mean, {np.mean(human):.2f}." + note(kept.values())
        ),
        description=(
            f"Kappa of {len(kept)} model{'s' if len(kept) > 1 else ''} with ten people.{ends} "
            f"Between people it goes from {min(human):.2f} to {max(human):.2f}."
        ),
        table=table,
        draw=partial(_draw_people, kept, table),
    )


def _draw_people(runs: Mapping[str, RunResult], table: pd.DataFrame) -> "Drawing":
    drawing = new_drawing(ONE_COLUMN, 20 + 4.0 * len(runs))
    axes = drawing.add_subplot()
    name_rows(axes, list(runs))
    human = between_people()
    band = axes.axvspan(min(human), max(human), color=INK, alpha=FAINT, linewidth=0)
    say(band, f"pairs of people: {min(human):.2f} to {max(human):.2f}")
    axes.axvline(float(np.mean(human)), color=INK, linewidth=0.8)
    axes.axvline(0, color=INK, alpha=MUTED, linewidth=0.6)
    for row, (name, run) in enumerate(runs.items()):
        own = table[table["model"] == name]
        for one in own.to_dict("records"):
            (mark,) = axes.plot(
                [one["kappa"]], [row], ".", color=colour(0), alpha=MUTED, markersize=3, linestyle=""
            )
            say(mark, f"{name} and {one['person']}: {one['kappa']:.2f}")
        mean = float(own["kappa"].mean())
        (mark,) = draw_mark(axes, mean, row, colour=colour(0), marker="o", whole=not marks(run))
        say(mark, f"{name}: mean {mean:.2f}{said_marks(run)}")
    axes.set_xlabel("Error consistency (Cohen's kappa)")
    axes.grid(axis="x")
    return drawing


def _figure_of_models(
    runs: Mapping[str, RunResult], names: Sequence[str], table: pd.DataFrame
) -> Figure:
    run = runs[names[0]]
    ranked = table.dropna(subset="kappa").sort_values("kappa")
    ends = " No pair has one: a model is right on all stimuli, or on none."
    if len(ranked):
        low, high = ranked.iloc[0], ranked.iloc[-1]
        ends = (
            f" It goes from {low['kappa']:.2f} ({low['model']} and {low['other']}) to "
            f"{high['kappa']:.2f} ({high['model']} and {high['other']})."
        )
    return Figure(
        name=f"error_consistency_models_{file_name(run.benchmark)}",
        section=_SECTION,
        title=f"{title_of(run)}: error consistency between models",
        caption=_SOURCE + note((runs[name] for name in names), "Marked with *"),
        description=f"Kappa of each pair of {len(names)} models.{ends}",
        table=table,
        draw=partial(_draw_models, runs, names, table),
    )


def _draw_models(
    runs: Mapping[str, RunResult], names: Sequence[str], table: pd.DataFrame
) -> "Drawing":
    values = np.full((len(names), len(names)), math.nan)
    for row in table.to_dict("records"):
        places = sorted((names.index(row["model"]), names.index(row["other"])), reverse=True)
        values[places[0], places[1]] = round(row["kappa"], 2) + 0.0  # of -0.0 it makes 0.0
    shown = values[1:, :-1]
    drawing = new_drawing(44 + 4.4 * len(names), 36 + 4.2 * len(names))
    axes = drawing.add_subplot()
    words = _words(names, values)
    draw_matrix(axes, shown, words, Scale(0, 1), numbers=".2f", size=5)
    said = [short(name) + "*" * bool(marks(runs[name])) for name in names]
    axes.set_yticks(range(len(names) - 1), said[1:])
    axes.set_xticks(
        range(len(names) - 1), said[:-1], rotation=45, ha="right", rotation_mode="anchor"
    )
    return drawing


def _words(names: Sequence[str], values: NDArray[np.float64]) -> list[str]:
    return [
        f"{one} and {other}: {values[row, column]:.2f}"
        for row, one in enumerate(names)
        if row
        for column, other in enumerate(names[:-1])
    ]
