"""Scores of a benchmark that need a second run: what its class says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from oodbench.metrics.score import Score

Normaliser = Mapping[str, Mapping[str, float]]
"""Split -> metric -> the value by which the same score of other models is divided."""


@dataclass(frozen=True)
class SecondRun:
    """The clean run that derived scores need beside a clean run of the benchmark.

    Attributes:
        metrics: names of the derived scores.
        benchmark: name of the second run's benchmark; None: that of the run itself, and then of
            the same data, which only runs on official files are trusted to share.
        model: name of the second run's model; None: the same model, with the same known weights.
        or_file: a file of scores (`oodbench.benchmarks.normaliser`) may stand in its place where
            the run is on official files.
        version: goes up when the derived scores of the same records would differ.
    """

    metrics: tuple[str, ...]
    benchmark: str | None = None
    model: str | None = None
    or_file: bool = False
    version: int = 1


@dataclass(frozen=True)
class FinishedRun:
    """What a benchmark is shown of a finished run.

    Attributes:
        complete: every official picture was scored.
        splits: names of the splits that were scored.
        scores: by split and metric.
        records: (split, columns) -> these columns of the records of its scored items.
    """

    complete: bool
    splits: Sequence[str]
    scores: Mapping[str, Mapping[str, Score]]
    records: Callable[[str, Sequence[str]], pd.DataFrame]


@runtime_checkable
class DerivesScores(Protocol):
    """A benchmark's class with scores that need a second run.

    Tables work from stored results, so that both members are of the class, not of an object.
    """

    second_run: SecondRun

    @classmethod
    def derived(
        cls, run: FinishedRun, others: Sequence[FinishedRun], given: Normaliser | None
    ) -> dict[str, Score]:
        """The derived scores of a run.

        Args:
            run: the run.
            others: second runs that would do, the best first; a partial one only where the run is
                partial too, and it may show other pictures. Empty only where `given` is not None.
            given: scores from a file that stand in the place of the second run.

        Returns:
            By metric; NaN with a note where no second run shows the same pictures.
        """
        ...
