"""derived.json: derived scores beside the run's result, with what they rest on.

Relative mCE reads 3.75 million rows a model: it is computed once, and read back until something
that it rests on has changed.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oodbench.core.checksum import agrees, checksum, write_checked
from oodbench.core.files import read_json
from oodbench.metrics.score import Score
from oodbench.runs.paths import RunPaths
from oodbench.runs.results import RunResult, result_content, score_of, without_nan


@dataclass(frozen=True)
class Grounds:
    """What derived scores rest on; records change with their result alone.

    Attributes:
        version: of the rules by which the benchmark computes them.
        run: `result_digest` of the run.
        others: keys and digests of the second runs, the best first.
        normaliser: sha256 of the file of scores, "" where none is used.
    """

    version: int
    run: str
    others: list[tuple[str, str]]
    normaliser: str


def result_digest(result: RunResult) -> str:
    """sha256 of all that a result says."""
    return checksum(result_content(result))


def kept_scores(
    directory: Path, grounds: Grounds, make: Callable[[], dict[str, Score]]
) -> dict[str, Score]:
    """The derived scores of a run, read from its derived.json or computed and kept there.

    Args:
        directory: of the run. One that cannot be written is no error.
        grounds: what the scores rest on.
        make: computes them.
    """
    path = RunPaths(directory).derived
    rests_on = json.loads(json.dumps(asdict(grounds)))
    found = _read(path, rests_on)
    if found is not None:
        return found
    scores = make()
    stored = {metric: without_nan(asdict(score)) for metric, score in scores.items()}
    with suppress(OSError):
        write_checked(path, {"rests_on": rests_on, "scores": stored})
    return scores


def _read(path: Path, rests_on: dict[str, Any]) -> dict[str, Score] | None:
    """Scores that rest on the same, None where there are none or the file is damaged."""
    with suppress(OSError, KeyError, TypeError, ValueError, AttributeError):
        stored = read_json(path)
        if agrees(stored) and stored["rests_on"] == rests_on:
            return {metric: score_of(score) for metric, score in stored["scores"].items()}
    return None
