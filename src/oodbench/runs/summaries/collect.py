"""The records of a run, split by split -> its summary."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.attack_checks import strictly_accurate
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.correctness import confidence_column, correct, decision_column
from oodbench.metrics.diagnostics.class_counts import class_counts
from oodbench.metrics.diagnostics.cue_decisions import cue_decisions
from oodbench.metrics.diagnostics.radius_curve import radius_curve
from oodbench.metrics.diagnostics.reliability import reliability
from oodbench.metrics.diagnostics.risk_coverage import risk_coverage
from oodbench.runs.summaries.summary import Summary

_CUES = ("image", "shape", "texture", "published_set", "decision_max")

Flags = NDArray[np.bool_]


class Collector:
    """Takes the splits one after the other; of each row it keeps a few bytes.

    Args:
        traits: of the run's attack, None where there is none.
    """

    def __init__(self, traits: AttackTraits | None) -> None:
        self._traits = traits
        self._n = 0
        self._labels: list[tuple[NDArray[np.int32], Flags]] = []
        self._confidence: list[tuple[NDArray[np.float32], Flags]] = []
        self._distances: list[tuple[NDArray[np.float32], Flags, Flags]] = []
        self._cues: list[pd.DataFrame] = []
        self._clips = False

    def add(self, records: pd.DataFrame) -> None:
        """Take the scored rows of a split, at least one."""
        self._n += len(records)
        self._clips |= "frame" in records and bool(records["frame"].any())
        if not self._clips and "label" in records and decision_column(records) in records:
            right = correct(records)
            self._labels.append((records["label"].to_numpy().astype(np.int32), right))
            if (column := confidence_column(records)) is not None:
                self._confidence.append((records[column].to_numpy().astype(np.float32), right))
        if self._traits is not None and not self._traits.bounded and self._traits.norm in records:
            self._distances.append(_distances(records, self._traits.norm))
        if all(name in records for name in _CUES):
            self._cues.append(records[list(_CUES)])

    def summary(self) -> Summary:
        """Of all that was taken."""
        if self._clips:
            return Summary(self._n)
        norm = "" if self._traits is None else self._traits.norm
        return Summary(
            n=self._n,
            right=sum(int(right.sum()) for _, right in self._labels) if self._labels else None,
            classes=class_counts(self._labels) if self._labels else None,
            reliability=reliability(self._confidence) if self._confidence else None,
            risk=risk_coverage(*_joined(self._confidence)) if self._confidence else None,
            radius=radius_curve(norm, *_joined(self._distances)) if self._distances else None,
            cues=cue_decisions(pd.concat(self._cues)) if self._cues else None,
        )


def _distances(records: pd.DataFrame, norm: str) -> tuple[NDArray[np.float32], Flags, Flags]:
    wrong = records["clean_prediction"].to_numpy() != records["label"].to_numpy()
    return records[norm].to_numpy().astype(np.float32), ~strictly_accurate(records), wrong


def _joined(parts: Sequence[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
