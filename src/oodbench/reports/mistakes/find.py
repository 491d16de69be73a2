"""Which pictures a run gets wrong, and which only one of two runs gets right."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from oodbench.core.errors import ConfigError, DataError
from oodbench.reference import class_names, geirhos_categories, imagenet_wnids
from oodbench.reports.comparisons.compare import compare_runs
from oodbench.reports.comparisons.decisions import OF_CATEGORIES, decisions
from oodbench.reports.comparisons.selection import selected
from oodbench.runs.results import RunResult, no_runs, read_results
from oodbench.runs.stored_class import benchmark_class


@dataclass(frozen=True)
class Wanted:
    """Which pictures are asked for.

    Attributes:
        models, benchmarks: patterns of names.
        class_name: of the true class: a name, a synset id or an index, see `check_class`; None: all
            classes.
        top: most pictures of each run or pair of runs.
    """

    models: str = "*"
    benchmarks: str = "*"
    class_name: str | None = None
    top: int = 20


@dataclass(frozen=True)
class Mistakes:
    """Pictures of one run, or of two.

    Attributes:
        runs: one: pictures that it gets wrong; two: pictures that only one of them gets right.
        rows: split, image, frame, label, `first` (what the first run decided for) and
            `confidence_first`; of two runs also `second`, `confidence_second` and `gained`, whether
            the second is right. Those of the most confident mistakes first; of a clip one frame.
        n_found: rows of the records that were found: pictures, or frames.
        n_scored: rows of the class that was asked for, of all where none was.
        names: of the labels and decisions.
        n_gained: of two runs, how many of those found the second gets right.
    """

    runs: tuple[RunResult, ...]
    rows: pd.DataFrame
    n_found: int
    n_scored: int
    names: Sequence[str]
    n_gained: int = 0

    def name(self, number: int) -> str:
        """Of a label or decision; its digits where it has none."""
        return self.names[number] if 0 <= number < len(self.names) else str(number)


def mistakes(
    word: str | None, output_root: Path, wanted: Wanted, problems: list[str]
) -> list[Mistakes]:
    """The pictures that runs get wrong, a list for each.

    Args:
        word: see `oodbench.reports.comparisons.selection.selected`; None: all runs.
        output_root: where the runs are.
        wanted: which pictures.
        problems: gets a line for every run that cannot be used.

    Raises:
        DataError: there is no run.
        ConfigError: no run is of the word.
    """
    found = []
    for run in _runs(word, output_root, problems):
        if _is_wanted(run, wanted):
            try:
                found.append(_wrong(run, wanted))
            except DataError as error:
                problems.append(str(error))
    return found


def flips(
    first: str, second: str, output_root: Path, wanted: Wanted, problems: list[str]
) -> list[Mistakes]:
    """The pictures that only one of two runs gets right, a list for each pair of runs.

    Args:
        first, second: as `oodbench-compare` takes them.
        output_root, wanted, problems: see `mistakes`.

    Raises:
        DataError: there is no run, or no two runs go together.
        ConfigError: no run is of a word.
    """
    compared = compare_runs(first, second, output_root, wanted.benchmarks)
    problems += compared.problems
    found = []
    for one in compared.comparisons:
        runs = (one.first, one.second)
        if not any(fnmatchcase(run.model, wanted.models) for run in runs):
            continue
        names = _names(one.of_categories)
        rows = _of_class(one.flips, wanted, names)
        by = rows["confidence_first"].where(rows["gained"], rows["confidence_second"])
        n_scored = one.found.n if wanted.class_name is None else len(rows)
        listed = _first(rows, by, wanted)
        n_gained = int(rows["gained"].sum())
        found.append(Mistakes(runs, listed, len(rows), n_scored, names, n_gained))
    return found


def _runs(word: str | None, output_root: Path, problems: list[str]) -> Sequence[RunResult]:
    if word is not None:
        return selected(word, output_root, problems).runs
    stored = read_results(output_root)
    problems += stored.problems
    if not stored.results:
        raise no_runs(output_root, stored.problems)
    return stored.results


def _is_wanted(run: RunResult, wanted: Wanted) -> bool:
    return fnmatchcase(run.model, wanted.models) and fnmatchcase(run.benchmark, wanted.benchmarks)


def _wrong(run: RunResult, wanted: Wanted) -> Mistakes:
    """Split by split, so that never more than one and the first rows of each are in memory."""
    parts, n_found, n_scored = [], 0, 0
    names: Sequence[str] = ()
    for split in run.splits:
        decided = decisions(run, split)
        if decided.empty:
            continue
        of_categories = decided.attrs[OF_CATEGORIES]
        if not of_categories and not getattr(benchmark_class(run), "has_classes", True):
            raise DataError(
                f"{run.model} × {run.benchmark}: its labels are no classes, so that no picture is "
                "right or wrong"
            )
        names = _names(of_categories)
        decided = _of_class(decided, wanted, names)
        wrong = decided[~decided["right"].to_numpy(bool)].assign(split=split)
        wrong = wrong.rename(columns={"decision": "first", "confidence": "confidence_first"})
        parts.append(_first(wrong, wrong["confidence_first"], wanted))
        n_found, n_scored = n_found + len(wrong), n_scored + len(decided)
    if not parts:
        raise DataError(f"{run.model} × {run.benchmark}: no records")
    rows = pd.concat(parts, ignore_index=True)
    rows = _first(rows, rows["confidence_first"], wanted)
    return Mistakes((run,), rows, n_found, n_scored, names)


def _first(rows: pd.DataFrame, by: pd.Series, wanted: Wanted) -> pd.DataFrame:
    """The rows of the highest confidence, then those without one; ties in the order of the run.

    Of a clip only the first of them.
    """
    order = by.sort_values(ascending=False, kind="stable", na_position="last").index
    listed = rows.loc[order].drop_duplicates(["split", "image"])
    return listed.head(wanted.top).reset_index(drop=True)


def _of_class(rows: pd.DataFrame, wanted: Wanted, names: Sequence[str]) -> pd.DataFrame:
    if wanted.class_name is None:
        return rows
    labels = _labels_of(wanted.class_name, names)
    return rows[rows["label"].isin(labels)]


def check_class(name: str) -> None:
    """Refuse a name that stands for no class and no category.

    Raises:
        ConfigError: it does.
    """
    known = [*class_names(), *geirhos_categories()]
    if not _labels_of(name, class_names()) and not _labels_of(name, list(geirhos_categories())):
        close = ", ".join(get_close_matches(name, known, n=5)) or "none"
        raise ConfigError(f"--class {name}: no class of that name; close names: {close}")


def _labels_of(name: str, names: Sequence[str]) -> list[int]:
    """The labels among these that a name stands for: two classes are called crane."""
    wnids = imagenet_wnids() if len(names) == len(imagenet_wnids()) else []
    if name.isdecimal():
        return [int(name)] if int(name) < len(names) else []
    if name in wnids:
        return [wnids.index(name)]
    return [label for label, known in enumerate(names) if known.lower() == name.lower()]


def _names(of_categories: bool) -> list[str]:
    return list(geirhos_categories()) if of_categories else class_names()
