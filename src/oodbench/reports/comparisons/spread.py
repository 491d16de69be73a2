"""How much the choice of a preprocessing (attack, engine) moves the numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from oodbench.core.errors import DataError
from oodbench.metrics.paired import holm
from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.comparisons.compare import Comparison, compare_pair
from oodbench.reports.comparisons.decisions import PLACE, decisions
from oodbench.reports.comparisons.words import cell_of, words_of
from oodbench.reports.tables.rows import merit
from oodbench.runs.results import RunResult, no_runs, read_results


@dataclass(frozen=True)
class Spread:
    """Runs of one model on one benchmark that differ in one field alone.

    Attributes:
        field: that is varied.
        runs: at least two, the highest headline score first.
        largest: the last of them against the first.
        n_changed: pictures (frames) for which not all of the runs decided alike.
        n_common: pictures (frames) that all of the runs have.
    """

    field: str
    runs: Sequence[RunResult]
    largest: Comparison
    n_changed: int
    n_common: int

    @property
    def cell(self) -> str:
        """Model, benchmark, and what else all runs share."""
        return cell_of(self.runs)

    @property
    def points(self) -> list[float]:
        """Headline scores of the runs, in points (percent, or the score's own unit)."""
        return [points_of(run) for run in self.runs]

    @property
    def n_pairs(self) -> int:
        """Pairs of runs, of which `largest` is one."""
        return len(self.runs) * (len(self.runs) - 1) // 2

    @property
    def range(self) -> float:
        """The highest score minus the lowest one, in points."""
        return max(self.points) - min(self.points)

    @property
    def deviation(self) -> float:
        """Standard deviation of the scores, in points, with n - 1 in the denominator."""
        return float(np.std(self.points, ddof=1))


@dataclass(frozen=True)
class Spreads:
    """All spreads of a field.

    Attributes:
        found: by cell. The adjusted p-value of `largest` allows for its choice among all pairs of
            the cell's runs (Bonferroni) and for the number of cells (Holm).
        problems: one line for every file of a run that could not be used.
    """

    field: str
    found: Sequence[Spread]
    problems: Sequence[str]


def spreads(output_root: Path, field: str) -> Spreads:
    """The spread of every model and benchmark of which there are several runs.

    Args:
        output_root: where the runs are.
        field: one of `oodbench.reports.comparisons.words.VARIED`.

    Raises:
        DataError: there is no run, or there are no two that differ in the field alone.
    """
    stored = read_results(output_root)
    if not stored.results:
        raise no_runs(output_root, stored.problems)
    problems = list(stored.problems)
    found = []
    for runs in varied_groups(stored.results, field):
        try:
            found.append(_spread(runs, field))
        except DataError as error:
            problems.append(str(error))
    if not found:
        said = f"{output_root}: no model has two runs that differ in {field} alone; make some with"
        sweep = f"oodbench -m model=NAME '{field}=glob(*)'"
        raise DataError("\n".join([*problems, f"{said} {sweep}"]))
    adjusted = holm([min(1.0, one.n_pairs * one.largest.found.p_value) for one in found])
    return Spreads(
        field,
        [
            replace(one, largest=replace(one.largest, adjusted=p))
            for one, p in zip(found, adjusted, strict=True)
        ],
        problems,
    )


def only(found: Spreads, wanted: Callable[[RunResult], bool]) -> Spreads:
    """The spreads of some runs; p-values stay adjusted for all.

    Raises:
        DataError: none is left.
    """
    kept = [one for one in found.found if wanted(one.runs[0])]
    if not kept:
        cells = ", ".join(one.cell for one in found.found)
        raise DataError(
            f"no spread of {found.field} is of these models and benchmarks, but {cells}"
        )
    return replace(found, found=kept)


def headline_of(run: RunResult) -> Score | None:
    """The run's headline score; None where it has none."""
    return run.scores.get("", {}).get(run.headline)


def points_of(run: RunResult) -> float:
    """The headline score in points; NaN where there is none."""
    score = headline_of(run)
    return float("nan") if score is None else score.value * TO_POINTS[score.unit]


def varied_groups(results: Sequence[RunResult], field: str) -> list[list[RunResult]]:
    """Runs that differ in the field alone, each way of it once, those with a score.

    Args:
        results: finished runs.
        field: one of `oodbench.reports.comparisons.words.VARIED`.

    Returns:
        Groups of at least two, by model and benchmark; in each the highest score first.
    """
    groups: dict[tuple[str, ...], dict[str, RunResult]] = {}
    for run in results:
        if np.isnan(points_of(run)):
            continue
        words = words_of(run)
        way = words.pop(field)
        group = groups.setdefault((words.pop("model"), run.benchmark, *words.values()), {})
        group[way] = max(group.get(way, run), run, key=merit)
    return [
        sorted(group.values(), key=points_of, reverse=True)
        for _, group in sorted(groups.items())
        if len(group) > 1
    ]


def _spread(runs: list[RunResult], field: str) -> Spread:
    n_changed, n_common = _changed(runs)
    return Spread(field, runs, compare_pair(runs[0], runs[-1]), n_changed, n_common)


def _changed(runs: Sequence[RunResult]) -> tuple[int, int]:
    """Of how many pictures the decision changes, and how many all runs have."""
    n_changed = n_common = 0
    for split in runs[0].splits:
        decided = [decisions(run, split) for run in runs]
        if any(frame.empty for frame in decided):
            continue
        columns = [frame.set_index(PLACE)["decision"] for frame in decided]
        table = pd.concat(columns, axis=1, join="inner")
        n_changed += int((table.nunique(axis=1) > 1).sum())
        n_common += len(table)
    return n_changed, n_common
