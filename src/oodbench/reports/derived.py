"""Scores of runs that need a second run, as the classes of their benchmarks say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pandas as pd

from oodbench.benchmarks.normaliser import read_normaliser
from oodbench.benchmarks.second_run import DerivesScores, FinishedRun, Normaliser, SecondRun
from oodbench.core.errors import DataError
from oodbench.core.files import digest
from oodbench.metrics.score import Score
from oodbench.reports.kept_scores import Grounds, kept_scores, result_digest
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult
from oodbench.runs.stored_class import benchmark_class
from oodbench.runs.unsound import mark_unsound

Derived = dict[Path, dict[str, Score]]
"""Run folder -> metric -> score."""


@cache
def _deriving(kind: object) -> DerivesScores | None:
    """A class of benchmarks that derives scores; to find that out takes longer than to read a
    result."""
    return kind if isinstance(kind, DerivesScores) else None


@dataclass(frozen=True)
class _File:
    """A normaliser file's content and checksum."""

    scores: Normaliser
    sha256: str


def derive(
    results: Sequence[RunResult],
    normaliser: Path | None,
    wanted: Callable[[RunResult, str], bool] = lambda _result, _metric: True,
    *,
    problems: list[str] | None = None,
) -> Derived:
    """All derived scores that the runs allow.

    A clean run has them whose benchmark is of a class that `DerivesScores` describes and one of
    oodbench's own. Of several second runs that would do the newest is taken, before all one without
    difference from the published run. A partial run needs a second one of the same pictures; where
    none is there the score is NaN with a note. Scores that were computed before are read back while
    what they rest on is the same, see `oodbench.reports.kept_scores`.

    Args:
        results: finished runs with their records.
        normaliser: CSV file, see `oodbench.benchmarks.normaliser`, that stands in the place of a
            second run where a class allows it; None: only runs do.
        wanted: (run, metric) -> whether the score is asked for; a run of which no score is asked
            for is left out.
        problems: gets a line for every run whose records, or those of its second run, are damaged
            or incomplete, and that is left out for it; None: such a run is an error.

    Returns:
        Only runs for which there is a second run or a file.

    Raises:
        DataError: the normaliser file is missing or damaged.
    """
    given = (
        None
        if normaliser is None
        else _File(read_normaliser(normaliser), digest(normaliser, "sha256"))
    )
    derived: Derived = {}
    for result in results:
        kind = _deriving(benchmark_class(result))
        if result.attack_traits is not None or kind is None:
            continue
        need = kind.second_run
        if not any(wanted(result, metric) for metric in need.metrics):
            continue
        file = given if need.or_file and result.official else None
        others = [] if file is not None else second_runs(result, results, need)
        if others or file is not None:
            try:
                derived[result.directory] = _scores(kind, result, others, file)
            except DataError as error:
                if problems is None:
                    raise
                problems.append(str(error))
    return derived


def _scores(
    kind: DerivesScores, result: RunResult, others: Sequence[RunResult], file: _File | None
) -> dict[str, Score]:
    """The scores of one run, kept ones where they rest on the same."""
    grounds = Grounds(
        version=kind.second_run.version,
        run=result_digest(result),
        others=[(other.key, result_digest(other)) for other in others],
        normaliser="" if file is None else file.sha256,
    )
    runs = [_finished(other) for other in others]
    given = None if file is None else file.scores
    make = partial(kind.derived, _finished(result), runs, given)
    return kept_scores(result.directory, grounds, make)


def second_runs(
    result: RunResult, results: Sequence[RunResult], need: SecondRun
) -> list[RunResult]:
    """Clean runs that may be set against `result`, the best first."""
    runs = [run for run in results if run.attack_traits is None and _would_do(run, result, need)]
    return sorted(runs, key=lambda run: (not run.difference, run.modified, run.key), reverse=True)


def _would_do(run: RunResult, result: RunResult, need: SecondRun) -> bool:
    same_model = run.model == result.model and run.weights == result.weights is not None
    same_data = need.benchmark is not None or result.official or _alike(run, result)
    return (
        run.benchmark == (need.benchmark or result.benchmark)
        and (same_model if need.model is None else run.model == need.model)
        and same_data
        and run.demo == result.demo
        and (run.status == "complete" or result.status != "complete")
    )


def _alike(run: RunResult, other: RunResult) -> bool:
    """On the same pictures, and where they are made while loading, made in the same way."""
    same_pictures = run.dataset_fingerprint == other.dataset_fingerprint
    return same_pictures and run.config.get("benchmark") == other.config.get("benchmark")


def _finished(result: RunResult) -> FinishedRun:
    return FinishedRun(
        complete=result.status == "complete",
        splits=list(result.splits),
        scores=result.scores,
        records=partial(_records, result),
    )


def _records(run: RunResult, split: str, columns: Sequence[str]) -> pd.DataFrame:
    """Records of the scored items; only what is asked for, because ImageNet-C has 3.75 M rows."""
    n_items = int(run.splits[split]["n_items"])
    try:
        return read_split(run.paths.records, split, n_items, columns=columns, key=run.key)
    except DataError as error:
        mark_unsound(run, error)
        raise
