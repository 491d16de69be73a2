"""What is logged of a run, and what a logger is."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult


@dataclass(frozen=True)
class Logged:
    """A finished run, in the words of loggers.

    Attributes:
        key: of the run. Runs of several benchmarks or names may share one, see `identity`.
        facts: text that runs are chosen by: model, benchmark, preprocessing, attack, difference,
            status (complete or partial), demo, key.
        scores: by name, those of a split as `fog/3/top1`, in the unit of the result (fractions from
            0 to 1 where it has none other); limits of the 95 % interval as `top1_low` and
            `top1_high`. Scores that are not defined are left out.
        config: what made the records, by dotted name.
        files: to keep with the run.
    """

    key: str
    facts: Mapping[str, str]
    scores: Mapping[str, float]
    config: Mapping[str, str]
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """`model × benchmark`."""
        return f"{self.facts['model']} × {self.facts['benchmark']}"

    @property
    def identity(self) -> str:
        """What a run is found again by: key and a hash of benchmark and model; `[0-9a-f-]`."""
        place = f"{self.facts['benchmark']}/{self.facts['model']}".encode()
        return f"{self.key}-{hashlib.sha256(place).hexdigest()[:8]}"


class Logger(Protocol):
    """A logger: built from the `logger` node of the config when there is a run to log."""

    def log(self, run: Logged) -> None:
        """Log a run, or bring what is logged of it up to date.

        Raises:
            Exception: whatever its library does; the run is not failed by it.
        """
        ...


def logged(result: RunResult) -> Logged:
    """What there is to log of a result on disk."""
    facts = {
        "model": result.model,
        "benchmark": result.benchmark,
        "preprocessing": result.preprocessing,
        "attack": result.attack,
        "difference": difference_text(result.difference),
        "status": result.status,
        "demo": str(result.demo).lower(),
        "key": result.key,
    }
    files = (result.paths.result, result.paths.key_document)
    return Logged(result.key, facts, dict(_scores(result)), dict(_flat("", result.config)), files)


def _scores(result: RunResult) -> Iterator[tuple[str, float]]:
    yield "n_images", float(result.n_images)
    for split, scores in result.scores.items():
        for metric, score in scores.items():
            name = f"{split}/{metric}" if split else metric
            values = {name: score.value}
            if not split:
                values |= {f"{name}_low": score.low, f"{name}_high": score.high}
            yield from ((key, value) for key, value in values.items() if math.isfinite(value))


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), item)
    else:
        yield key, str(value)
