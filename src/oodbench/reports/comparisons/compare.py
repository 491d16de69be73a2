"""Runs set against their partners: on the same pictures, with interval and p-value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.metrics.joint import source_names
from oodbench.metrics.paired import Difference, difference, difference_of_means, holm
from oodbench.reports.comparisons.decisions import OF_CATEGORIES, PLACE, decisions
from oodbench.reports.comparisons.selection import Selection, selected
from oodbench.reports.comparisons.words import words_of
from oodbench.reports.tables.rows import merit
from oodbench.runs.results import RunResult


@dataclass(frozen=True)
class Comparison:
    """A run and its partner, the second minus the first, on the pictures that both have.

    Attributes:
        first, second: the runs.
        accuracies: of both on these pictures, fractions.
        found: how they differ.
        adjusted: its p-value, adjusted by Holm's method for all comparisons made together.
        flips: rows that only one of them got right: split, image, frame, label, `first` and
            `second` (what they decided for), `confidence_first` and `confidence_second`, and
            `gained`: whether it is the second.
        n_unpaired: pictures of either run that the other has not, in splits of both.
        of_categories: labels and decisions are among Geirhos' 16 categories, not the 1000 classes.
    """

    first: RunResult
    second: RunResult
    accuracies: tuple[float, float]
    found: Difference
    adjusted: float
    flips: pd.DataFrame
    n_unpaired: int
    of_categories: bool

    @property
    def same_run(self) -> bool:
        """Whether both are one run: they do the same under two names."""
        return self.first.directory == self.second.directory

    @property
    def headlines(self) -> tuple[float, float] | None:
        """Both runs' headline scores in their unit; None where they have none in common."""
        name = self.first.headline
        scores = [run.scores.get("", {}).get(name) for run in (self.first, self.second)]
        values = [score.value for score in scores if score is not None]
        return (values[0], values[1]) if len(values) == 2 else None


@dataclass(frozen=True)
class Compared:
    """All comparisons of two sets of runs.

    Attributes:
        comparisons: by benchmark, then by the first run's model.
        problems: one line for every run that could not be used or has no partner.
    """

    comparisons: Sequence[Comparison]
    problems: Sequence[str]


def compare_runs(first: str, second: str, output_root: Path, benchmarks: str = "*") -> Compared:
    """Compare the runs that one word names with those that another one does.

    Runs are partners that are of one benchmark and agree in all else that neither word fixes; of
    several ones the best is taken, a complete one before a partial one.

    Args:
        first, second: see `oodbench.reports.comparisons.selection.selected`.
        output_root: where the runs are.
        benchmarks: pattern of the benchmarks that are compared.

    Raises:
        DataError: there is no run at all, or no two runs are partners.
        ConfigError: no run is of a name.
    """
    problems: list[str] = []
    sides = [selected(word, output_root, problems) for word in (first, second)]
    pairs = _pairs(sides[0], sides[1], benchmarks)
    if not pairs:
        raise DataError(
            f"{first} and {second}: no two runs on the same benchmark that agree in everything "
            "else: oodbench-table shows what there is"
        )
    made = [comparison for pair in pairs for comparison in _compared(*pair, problems)]
    adjusted = holm([comparison.found.p_value for comparison in made])
    return Compared(
        [replace(one, adjusted=p) for one, p in zip(made, adjusted, strict=True)], problems
    )


def _pairs(one: Selection, other: Selection, benchmarks: str) -> list[tuple[RunResult, RunResult]]:
    shared = one.free & other.free | {"benchmark"}
    partners = _by_identity(other.runs, shared, benchmarks)
    firsts = _by_identity(one.runs, shared, benchmarks)
    return [(run, partners[identity]) for identity, run in firsts.items() if identity in partners]


def _by_identity(
    runs: Iterable[RunResult], shared: frozenset[str] | set[str], benchmarks: str
) -> dict[tuple[str, ...], RunResult]:
    """The best run of each identity, sorted."""
    found: dict[tuple[str, ...], RunResult] = {}
    for run in runs:
        if fnmatchcase(run.benchmark, benchmarks):
            fields = {**words_of(run), "benchmark": run.benchmark}
            identity = tuple(fields[name] for name in sorted(shared))
            found[identity] = max(found.get(identity, run), run, key=merit)
    return dict(sorted(found.items()))


def _compared(first: RunResult, second: RunResult, problems: list[str]) -> list[Comparison]:
    """One comparison; none, and a line, where there are no records of the same pictures."""
    try:
        return [compare_pair(first, second)]
    except DataError as error:
        problems.append(str(error))
        return []


def compare_pair(first: RunResult, second: RunResult) -> Comparison:
    """One run and another one of the same benchmark; its p-value is not adjusted.

    Raises:
        DataError: records are damaged or missing, or the runs have no picture in common.
    """
    splits = [paired for name in first.splits if (paired := _paired(first, second, name))]
    if not splits:
        raise DataError(
            f"{first.benchmark}: runs {first.key} and {second.key} have no picture in common"
        )
    right = (
        np.concatenate([split.first for split in splits]),
        np.concatenate([split.second for split in splits]),
    )
    found = _difference(splits)
    return Comparison(
        first=first,
        second=second,
        accuracies=(float(right[0].mean()), float(right[1].mean())),
        found=found,
        adjusted=found.p_value,
        flips=pd.concat([split.flips for split in splits], ignore_index=True),
        n_unpaired=sum(split.n_rows for split in splits) - 2 * len(right[0]),
        of_categories=splits[0].of_categories,
    )


@dataclass(frozen=True)
class _Paired:
    """The rows of a split that both runs have, in one order.

    Attributes:
        first, second: whether the one run is right, and the other, bool `(n,)`.
        pictures: name of the picture that each row shows, the same in all splits.
        flips: see `Comparison`.
        n_rows: of both runs together, those without a partner too.
        of_categories: see `Comparison`.
    """

    first: NDArray[np.bool_]
    second: NDArray[np.bool_]
    pictures: Sequence[str]
    flips: pd.DataFrame
    n_rows: int
    of_categories: bool


def _paired(first: RunResult, second: RunResult, split: str) -> _Paired | None:
    """None where the runs have no row of it in common."""
    own, theirs = decisions(first, split), decisions(second, split)
    if own.empty or theirs.empty:
        return None
    both = own.merge(theirs, on=PLACE, suffixes=("_first", "_second"))
    right, other = (both[f"right_{side}"].to_numpy(dtype=bool) for side in ("first", "second"))
    if both.empty:
        return None
    differing = both[right != other]
    flips = differing[PLACE].assign(
        split=split,
        label=differing["label_first"],
        first=differing["decision_first"],
        second=differing["decision_second"],
        confidence_first=differing["confidence_first"],
        confidence_second=differing["confidence_second"],
        gained=differing["right_second"],
    )
    return _Paired(
        first=right,
        second=other,
        pictures=source_names(both["image"]),
        flips=flips.reset_index(drop=True),
        n_rows=len(own) + len(theirs),
        of_categories=own.attrs[OF_CATEGORIES],
    )


def _difference(splits: Sequence[_Paired]) -> Difference:
    """Of pictures that are shown once; where a picture is shown several times, of its means."""
    if len(splits) == 1 and len(set(splits[0].pictures)) == len(splits[0].pictures):
        return difference(splits[0].first, splits[0].second)
    totals = pd.DataFrame()
    for split in splits:
        rows = pd.DataFrame({"n": 1, "first": split.first, "second": split.second})
        sums = rows.groupby(np.asarray(split.pictures, object)).sum()
        totals = totals.add(sums, fill_value=0) if len(totals) else sums
    means = [(totals[side] / totals["n"]).to_numpy(np.float64) for side in ("first", "second")]
    return difference_of_means(*means)
