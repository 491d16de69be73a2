"""Which cells of a column are the best ones: the best, and all that cannot be told from it."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from oodbench.metrics.groups import UNKNOWN, best_group, best_group_by_intervals
from oodbench.reports.comparisons.words import words_of
from oodbench.reports.tables.right import Flags, accuracy, right_pictures
from oodbench.reports.tables.view import Cell, View, ViewRow
from oodbench.runs.results import RunResult

SENTENCE = (
    "Bold: the best of a column, among runs under the same attack, and all that cannot be told "
    "from it at 95 %."
)


def with_best(view: View, problems: list[str]) -> View:
    """The table with its best cells marked; texture shares and the like have no best ones.

    Runs compete that have the same benchmark and attack, demo data and real ones apart. Where the
    score is the share of right pictures and all runs have the same pictures, the exact McNemar test
    tells them apart; else their intervals do. See `oodbench.metrics.groups`.

    Args:
        view: as `wide_view` makes it.
        problems: gets a line for every run whose records cannot be used.
    """
    found: set[tuple[int, int]] = set()
    for column in range(len(view.columns)):
        cells = [(row, cells[column]) for row, (_, cells) in enumerate(view.rows)]
        for group in _competing(cells):
            found |= {(row, column) for row in _best_of(group, problems)}
    rows = [
        ViewRow(
            labels,
            [
                replace(cell, best=True) if (row, column) in found else cell
                for column, cell in enumerate(cells)
            ],
        )
        for row, (labels, cells) in enumerate(view.rows)
    ]
    return replace(view, rows=rows, remarks=[*view.remarks, SENTENCE])


Numbered = tuple[int, Cell]


def _competing(cells: Sequence[Numbered]) -> list[list[Numbered]]:
    """Cells with a value, by what makes them comparable."""
    groups: dict[tuple[object, ...], list[Numbered]] = defaultdict(list)
    for row, cell in cells:
        score = cell.score
        if cell.run is None or score is None or math.isnan(score.value):
            continue
        if score.higher_is_better is not None:
            attack = words_of(cell.run)["attack"]
            direction = (cell.metric, score.unit, score.higher_is_better)
            groups[(*direction, attack, cell.run.demo)].append((row, cell))
    return list(groups.values())


def _best_of(group: Sequence[Numbered], problems: list[str]) -> list[int]:
    if len(group) == 1:
        return [group[0][0]]
    scores = {row: cell.score for row, cell in group if cell.score is not None}
    higher = next(iter(scores.values())).higher_is_better is True
    flags = paired_flags([cell for _, cell in group], problems)
    if flags is None:
        return best_group_by_intervals(scores, higher_is_better=higher)
    named = dict(zip(scores, flags, strict=True))
    return best_group(named, higher_is_better=higher)


def paired_flags(cells: Sequence[Cell], problems: list[str]) -> list[Flags] | None:
    """Which pictures each cell's run got right, the same picture at the same position.

    Returns:
        int8 `(n,)` each, see `right_pictures`; None where the runs are not on the same data, or a
        score is no share of right pictures.
    """
    if len({cell.run.dataset_fingerprint for cell in cells if cell.run is not None}) != 1:
        return None
    found: list[Flags] = []
    for cell in cells:
        flags = None if cell.run is None else _shares(cell.run, cell, problems)
        if flags is None:
            return None
        found.append(flags)
    longest = max(map(len, found))
    return [
        np.concatenate([flags, np.full(longest - len(flags), UNKNOWN, np.int8)]) for flags in found
    ]


def _shares(run: RunResult, cell: Cell, problems: list[str]) -> Flags | None:
    """The pictures that the run got right, where the cell's score is their share."""
    score = cell.score
    if score is None or score.unit != "fraction" or cell.metric != run.headline:
        return None
    flags = right_pictures(run, problems)
    if flags is None or not math.isclose(accuracy(flags), score.value, abs_tol=1e-9):
        return None
    return flags
