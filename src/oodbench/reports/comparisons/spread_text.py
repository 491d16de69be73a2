"""Spreads as lines for the terminal, as a grid where two fields were swept, as rows of a CSV."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from oodbench.core.columns import aligned
from oodbench.reports.comparisons.grid import Grid, grid_of
from oodbench.reports.comparisons.spread import Spread, Spreads, headline_of, points_of
from oodbench.reports.comparisons.words import way_of
from oodbench.reports.tables.long import status
from oodbench.runs.naming.other_names import other_names
from oodbench.runs.results import RunResult, without_nan

_SIGNIFICANT = 0.05


def text_of(spreads: Spreads) -> str:
    """A block a model and benchmark, then the answer in one sentence."""
    lines: list[str] = []
    for one in spreads.found:
        lines += [*_block(one), ""]
    return "\n".join([*lines, answer(spreads)])


def frame_of(spreads: Spreads) -> pd.DataFrame:
    """One row a run: cell, way, key, headline score in points, and the figures of its group."""
    return pd.DataFrame(
        {
            "cell": one.cell,
            "model": run.model,
            "benchmark": run.benchmark,
            spreads.field: way_of(run, one.field),
            "key": run.key,
            "metric": run.headline,
            "points": points_of(run),
            "range": one.range,
            "standard_deviation": one.deviation,
            "largest_difference": 100 * abs(one.largest.found.value),
            "p_value": one.largest.found.p_value,
            "p_value_holm": one.largest.adjusted,
            "changed": one.n_changed,
            "common": one.n_common,
        }
        for one in spreads.found
        for run in one.runs
    )


def content_of(spreads: Spreads) -> dict[str, Any]:
    """All spreads as JSON: the answer in one sentence, and each model and benchmark."""
    content = {
        "field": spreads.field,
        "answer": answer(spreads),
        "cells": [_content(one) for one in spreads.found],
    }
    found: Any = without_nan(content)
    return dict(found)


def _content(one: Spread) -> dict[str, Any]:
    found = one.largest.found
    grid = grid_of(one)
    return {
        "cell": one.cell,
        "model": one.runs[0].model,
        "benchmark": one.runs[0].benchmark,
        "metric": one.runs[0].headline,
        "range": one.range,
        "standard_deviation": one.deviation,
        "largest_difference": {
            **{"first": one.runs[0].key, "second": one.runs[-1].key},
            **{name: getattr(found, name) for name in ("value", "low", "high", "p_value", "n")},
            "p_value_holm": one.largest.adjusted,
        },
        "changed": one.n_changed,
        "common": one.n_common,
        "runs": [
            {
                one.field: way_of(run, one.field),
                **{"key": run.key, "points": points_of(run), "status": status(run)},
            }
            for run in one.runs
        ],
        "grid": None if grid is None else _grid_content(grid),
    }


def _grid_content(grid: Grid) -> dict[str, Any]:
    return {
        "rows": {grid.down: list(grid.values_down)},
        "columns": {grid.across: list(grid.values_across)},
        "points": [
            [
                points_of(run) if (run := grid.runs.get((down, across))) is not None else None
                for across in grid.values_across
            ]
            for down in grid.values_down
        ],
    }


def answer(spreads: Spreads) -> str:
    """How much the field moves the numbers, in one sentence."""
    found = sorted(spreads.found, key=lambda one: one.range)
    smallest, largest = found[0], found[-1]
    n = len(found)
    mean = sum(one.range for one in found) / n
    told_apart = [one for one in found if one.largest.adjusted < _SIGNIFICANT]
    first, last = (way_of(run, spreads.field) for run in (largest.runs[0], largest.runs[-1]))
    where = f"{largest.cell}, {first} against {last}"
    if n == 1:
        moves = f"The {spreads.field} moves the score by {largest.range:.1f} points ({where})"
    else:
        moves = (
            f"The {spreads.field} moves the score of a model on a benchmark by "
            f"{smallest.range:.1f} to {largest.range:.1f} points, {mean:.1f} on average over {n}; "
            f"the most for {where}"
        )
    said = f"{moves}. {_told_apart(n, len(told_apart))} at 95 %."
    return " ".join([said, *_incomplete(found)])


def _incomplete(found: Sequence[Spread]) -> Iterator[str]:
    """What the numbers rest on, where not on all pictures of the benchmarks."""
    runs = [run for one in found for run in one.runs]
    demo = sum(run.demo for run in runs)
    partial = sum(not run.demo and run.status != "complete" for run in runs)
    if demo:
        yield f"{demo} of {len(runs)} runs are on demo data."
    if partial:
        yield f"{partial} of {len(runs)} runs are partial."


def _told_apart(n: int, n_found: int) -> str:
    """Of `n` differences, so many are more than chance."""
    if n == 1:
        return f"That is {'' if n_found else 'not '}more than chance explains"
    if n_found == 0:
        return "None of these differences is more than chance explains"
    which = "All" if n_found == n else f"{n_found} of the {n}"
    return f"{which} differences are more than chance explains"


def _block(one: Spread) -> Iterator[str]:
    score = headline_of(one.runs[0])
    assert score is not None  # a group has only runs with a score
    yield f"{one.cell}: {one.runs[0].headline}"
    grid = grid_of(one)
    in_grid = [] if grid is None else [run.directory for run in grid.runs.values()]
    others = [run for run in one.runs if run.directory not in in_grid]
    yield from (f"  {line}" for line in ([] if grid is None else _table(grid)))
    yield from (f"  {line}" for line in _list(one, others))
    first, last = (way_of(run, one.field) for run in (one.runs[0], one.runs[-1]))
    yield (
        f"  range {one.range:.1f} points, standard deviation {one.deviation:.1f}; "
        f"{first} against {last}: {_paired(one)}"
    )
    share = 100 * one.n_changed / one.n_common if one.n_common else math.nan
    yield f"  {one.n_changed} of {one.n_common} pictures change their prediction ({share:.1f} %)"
    partial = [run for run in one.runs if run.status != "complete" or run.demo]
    if partial:
        kind = "demo data" if partial[0].demo else f"partial, of {partial[0].n_expected} pictures"
        yield f"  {len(partial)} of {len(one.runs)} runs: {kind}"


def _paired(one: Spread) -> str:
    """The difference in right answers on the same pictures, of the highest and the lowest."""
    found = one.largest.found
    low, high = (round(-100 * limit, 1) + 0.0 for limit in (found.high, found.low))
    interval = "" if math.isnan(low) else f" [{low:.1f}, {high:.1f}]"
    p = "p < 0.0001" if found.p_value < 0.0001 else f"p = {found.p_value:.2g}"
    return (
        f"{-100 * found.value:.1f} points{interval} of right answers on the same {found.n} "
        f"pictures, {p}"
    )


def _list(one: Spread, runs: Sequence[RunResult]) -> list[str]:
    rows = [(f"{points_of(run):.1f}", _ways_of(run, one.field)) for run in runs]
    return aligned(rows, right=(0,)) if rows else []


def _table(grid: Grid) -> list[str]:
    head = [f"{grid.down} \\ {grid.across}", *map(_set, grid.values_across)]
    rows = [
        [_set(down), *(_points(grid.runs.get((down, across))) for across in grid.values_across)]
        for down in grid.values_down
    ]
    return aligned([head, *rows], right=range(1, len(head)))


def _set(value: str) -> str:
    return value or "off"


def _points(run: RunResult | None) -> str:
    return "" if run is None else f"{points_of(run):.1f}"


def _ways_of(run: RunResult, field: str) -> str:
    """With the names of further preprocessings that do the same for this model and benchmark."""
    others = other_names(run.paths) if field == "preprocessing" else []
    return ", ".join([way_of(run, field), *others])
