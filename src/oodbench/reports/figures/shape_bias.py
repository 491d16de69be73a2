"""Shape against texture by category, beside people and classic networks (Geirhos et al. 2019)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import pandas as pd

from oodbench.metrics.diagnostics.cue_decisions import CueCounts
from oodbench.metrics.intervals import wilson
from oodbench.reference import (
    cue_conflict_networks,
    cue_conflict_people,
    geirhos_categories,
)
from oodbench.reports.figures.dots import Dot, draw_dots, draw_mark, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.legends import legend_below, mark_of
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, title_of
from oodbench.reports.figures.style import (
    FAINT,
    INK,
    MUTED,
    TWO_COLUMNS,
    colour,
    marker,
    new_drawing,
    say,
)
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ALL = "all categories"
_MOST_COLOURS = 6
_SHAPES = ("^", "v", "s")
"""Marks of the classic networks, in grey."""

Counts = Mapping[str, CueCounts]
"""By category, and under `ALL` their sum."""


def shape_bias(runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> list[Figure]:
    """One figure of a benchmark of which runs decide for shape or texture.

    Args:
        runs: of the benchmark, by name.
        summaries: of those that have one.
    """
    counts = {
        name: _with_all(summary.cues.counts)
        for name, summary in summaries.items()
        if summary.cues is not None
    }
    return [_figure({name: runs[name] for name in counts}, counts)] if counts else []


@cache
def people() -> list[Counts]:
    """The decisions of each of the ten people for stimuli with a conflict."""
    found: dict[str, dict[str, list[int]]] = {}
    for stimulus, answers in cue_conflict_people().items():
        shape, texture = cues_of(stimulus)
        if shape == texture:
            continue
        for person, answer in answers.items():
            counts = found.setdefault(person, {}).setdefault(shape, [0, 0, 0])
            counts[0] += answer == shape
            counts[1] += answer == texture
            counts[2] += 1
    return [
        _with_all({name: CueCounts(*counts[name]) for name in geirhos_categories()})
        for counts in found.values()
    ]


def cues_of(stimulus: str) -> tuple[str, str]:
    """Shape and texture of a stimulus by its file name, `<shape><i>-<texture><j>.png`."""
    shape, texture = stimulus.removesuffix(".png").split("-")
    return shape.rstrip("0123456789"), texture.rstrip("0123456789")


def pooled(observers: Sequence[Counts]) -> Counts:
    """The counts of several observers together."""
    return {name: _sum([counts[name] for counts in observers]) for name in observers[0]}


@cache
def networks() -> dict[str, Counts]:
    """The decisions of AlexNet, GoogLeNet and VGG-16 for stimuli with a conflict."""
    found: dict[str, dict[str, CueCounts]] = {}
    for row in cue_conflict_networks():
        counts = CueCounts(row.shape, row.texture, row.shape + row.texture)
        found.setdefault(row.network, {})[row.category] = counts
    return {network: _with_all(counts) for network, counts in found.items()}


def _with_all(counts: Counts) -> Counts:
    return {ALL: _sum(list(counts.values())), **counts}


def _sum(counts: Sequence[CueCounts]) -> CueCounts:
    return CueCounts(
        sum(one.shape for one in counts),
        sum(one.texture for one in counts),
        sum(one.n for one in counts),
    )


def _figure(runs: Mapping[str, RunResult], counts: Mapping[str, Counts]) -> Figure:
    run = next(iter(runs.values()))
    table = pd.DataFrame(_rows(runs, counts))
    own = table[(table["category"] == ALL) & table["kind"].eq("model")].dropna(
        subset="shape bias (%)"
    )
    human = 100 * (pooled(people())[ALL].shape_bias or math.nan)
    ends = "No model decided for shape or texture."
    if len(own):
        ranked = own.sort_values("shape bias (%)")
        low, high = ranked.iloc[0], ranked.iloc[-1]
        ends = (
            f"Over all categories it goes from {low['shape bias (%)']:.1f} % ({low['observer']}) "
            f"to {high['shape bias (%)']:.1f} % ({high['observer']})."
        )
    classic = ", ".join(
        f"{name} {100 * (one[ALL].shape_bias or 0):.1f} %" for name, one in networks().items()
    )
    return Figure(
        name=f"shape_bias_{file_name(run.benchmark)}",
        section="Shape and texture",
        title=f"{title_of(run)}: shape bias by category",
        caption=(
            "Decisions for the shape among those for either cue, by shape category, with 95 % "
            "intervals over all categories. Grey: ten people together and the range of the ten, "
            "and three classic networks, as Geirhos et al. (2019) measured them."
            + note(runs.values())
        ),
        description=(
            f"Shape bias of {len(runs)} model{'s' if len(runs) > 1 else ''} by category. {ends} "
            f"People: {human:.1f} %; {classic}."
        ),
        table=table,
        draw=partial(_draw, runs, counts),
    )


def _rows(
    runs: Mapping[str, RunResult], counts: Mapping[str, Counts]
) -> Iterator[dict[str, object]]:
    for name, own in counts.items():
        said = ", ".join(marks(runs[name]))
        yield from (_row(name, "model", category, one, said) for category, one in own.items())
    for category, one in pooled(people()).items():
        yield _row("ten people", "people", category, one, "")
    for network, own in networks().items():
        yield from (_row(network, "network", category, one, "") for category, one in own.items())


def _row(observer: str, kind: str, category: str, one: CueCounts, said: str) -> dict[str, object]:
    decisions = one.shape + one.texture
    low, high = wilson(one.shape, decisions) if decisions else (math.nan, math.nan)
    return {
        "observer": observer,
        "kind": kind,
        "category": category,
        "shape bias (%)": 100 * one.shape / decisions if decisions else math.nan,
        "low": 100 * low,
        "high": 100 * high,
        "shape": one.shape,
        "texture": one.texture,
        "marks": said,
    }


def _draw(runs: Mapping[str, RunResult], counts: Mapping[str, Counts]) -> "Drawing":
    few = len(runs) <= _MOST_COLOURS
    names = list(runs) if few else [f"{len(runs)} models"]
    n_above, n_below = len(counts) + 1 + len(networks()), len(geirhos_categories())
    drawing = new_drawing(
        0.65 * TWO_COLUMNS, 20 + 3.7 * (n_above + n_below) + 3.4 * ((len(names) + 5) // 2)
    )
    above, below = drawing.subplots(2, 1, sharex=True, height_ratios=(n_above, n_below))
    _draw_all(above, runs, counts, few=few)
    _draw_categories(below, runs, counts, few=few)
    below.set_xlim(-1, 101)
    below.set_xlabel("← texture     Shape bias (%)     shape →")
    whole = [not marks(run) for run in runs.values()]
    grey = [mark_of(name, INK, shape) for name, shape in zip(networks(), _SHAPES, strict=False)]
    for one in grey:
        one.set_alpha(MUTED)
    people_mark = mark_of("ten people, and their range", INK, "D")
    legend_below(
        drawing,
        list(zip(names, whole if few else [all(whole)], strict=True)),
        [people_mark, *grey],
    )
    return drawing


def _draw_all(
    axes: "Axes", runs: Mapping[str, RunResult], counts: Mapping[str, Counts], *, few: bool
) -> None:
    """A row for each observer over all categories, the highest shape bias at the top."""
    kinds = {
        name: (colour(k if few else 0), marker(k if few else 0)) for k, name in enumerate(runs)
    }
    rows = [(name, own[ALL], kinds[name]) for name, own in counts.items()]
    rows.append(("ten people", pooled(people())[ALL], (INK, "D")))
    rows += [
        (name, own[ALL], (INK, shape))
        for (name, own), shape in zip(networks().items(), _SHAPES, strict=False)
    ]
    rows.sort(key=lambda row: -(row[1].shape_bias if row[1].shape_bias is not None else -1))
    name_rows(axes, [name for name, _, _ in rows])
    draw_dots(
        axes,
        [
            _dot(name, ALL, row, one, kind, runs.get(name))
            for row, (name, one, kind) in enumerate(rows)
            if one.shape_bias is not None
        ],
    )
    axes.set_title("All categories", loc="left")
    axes.grid(axis="x")
    axes.tick_params(labelbottom=False)


def _draw_categories(
    axes: "Axes", runs: Mapping[str, RunResult], counts: Mapping[str, Counts], *, few: bool
) -> None:
    rows = list(geirhos_categories())
    name_rows(axes, rows)
    _draw_others(axes, rows)
    for number, (name, own) in enumerate(counts.items()):
        kind = (colour(number), marker(number)) if few else (colour(0), marker(0))
        dots = [
            _dot(name, category, rows.index(category), one, kind, runs[name])
            for category, one in own.items()
            if category != ALL and one.shape_bias is not None
        ]
        without = [replace(dot, low=math.nan) for dot in dots]
        draw_dots(axes, without, size=4.0 if few else 2.5)
    axes.set_title("By shape category", loc="left")
    axes.grid(axis="x")


def _dot(
    name: str,
    category: str,
    row: int,
    one: CueCounts,
    kind: tuple[str, str],
    run: RunResult | None,
) -> Dot:
    """Of an observer that decided for a cue; `run` is None of people and classic networks."""
    decisions = one.shape + one.texture
    low, high = (100 * end for end in wilson(one.shape, decisions))
    value = 100 * one.shape / decisions
    said = "" if run is None else said_marks(run)
    words = f"{name}, {category}: {value:.1f} % [{low:.1f}, {high:.1f}] of {decisions} decisions"
    whole = run is None or not marks(run)
    return Dot(row, value, low, high, whole, f"{words}{said}", *kind)


def _draw_others(axes: "Axes", rows: Sequence[str]) -> None:
    everybody = pooled(people())
    for row, category in enumerate(rows):
        each = [100 * (one[category].shape_bias or 0.0) for one in people()]
        (band,) = axes.plot(
            [min(each), max(each)],
            [row, row],
            color=INK,
            alpha=FAINT,
            linewidth=4.5,
            solid_capstyle="butt",
            zorder=1,
        )
        say(band, f"ten people, {category}: {min(each):.1f} to {max(each):.1f} %")
        together = 100 * (everybody[category].shape_bias or 0.0)
        (mark,) = draw_mark(axes, together, row, colour=INK, marker="D", whole=True, size=3.0)
        say(mark, f"ten people together, {category}: {together:.1f} %")
        for (network, counts), shape in zip(networks().items(), _SHAPES, strict=False):
            value = 100 * (counts[category].shape_bias or 0.0)
            (mark,) = draw_mark(axes, value, row, colour=INK, marker=shape, whole=True, size=3.0)
            mark.set_alpha(MUTED)
            mark.set_zorder(2)
            say(mark, f"{network}, {category}: {value:.1f} %")
