"""result.json, run.json and error.json: written, read and scanned here alone."""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from oodbench.core.files import read_json, write_json
from oodbench.metrics.score import Score
from oodbench.runs.paths import RunPaths, runs_directory


@dataclass(frozen=True)
class RunResult:
    """Scores of one run and what they rest on. Everything here depends on config and data alone.

    Attributes:
        key: 12 hex digits, the identity of the records.
        difference: "" where the run did what the published run did, else what it did otherwise.
        status: complete, or partial where fewer pictures than the official count were scored.
        demo: the data are demo data.
        extension: the published run did not evaluate this model family on this benchmark.
        splits: by split, n (scored items), n_expected and the skipped ones.
        scores: by split ("" is the whole benchmark) and metric.
        weights: identity of the weights, None where unknown.
        config: what made the records, and how to score them again.
        attack_report: `oodbench.metrics.attack_checks.AttackReport` as JSON; None without attack.
        directory, modified: where and when the file was found; not in it.
    """

    key: str
    model: str
    benchmark: str
    preprocessing: str
    attack: str
    difference: str
    status: str
    demo: bool
    extension: bool
    headline: str
    n_images: int
    n_expected: int
    splits: dict[str, dict[str, Any]]
    missing_splits: list[str]
    notes: list[str]
    scores: dict[str, dict[str, Score]]
    weights: str | None
    precision: str
    dataset_fingerprint: str
    config: dict[str, Any]
    attack_report: dict[str, Any] | None = None
    directory: Path = field(default=Path(), compare=False)
    modified: float = field(default=0.0, compare=False)


def write_result(path: Path, result: RunResult) -> None:
    """Write result.json atomically; NaN becomes null."""
    content = asdict(result)
    del content["directory"], content["modified"]
    write_json(path, _without_nan(content))


def read_result(path: Path) -> RunResult | None:
    """A result, or None where the file is missing, damaged or of another version."""
    content = read_json(path)
    if not isinstance(content, dict):
        return None
    try:
        content["scores"] = {
            split: {metric: _score(score) for metric, score in scores.items()}
            for split, scores in content["scores"].items()
        }
        result = RunResult(**content)
    except (KeyError, TypeError, AttributeError):
        return None
    return replace(result, directory=path.parent, modified=path.stat().st_mtime)


def read_results(output_root: Path) -> list[RunResult]:
    """All finished runs below the output root, sorted by path."""
    paths = sorted(runs_directory(output_root).glob("*/*/*/result.json"))
    return [result for path in paths if (result := read_result(path)) is not None]


def read_failures(output_root: Path) -> list[dict[str, str]]:
    """error.json of all runs whose last attempt failed, sorted by path."""
    paths = sorted(runs_directory(output_root).glob("*/*/*/error.json"))
    return [content for path in paths if isinstance(content := read_json(path), dict)]


def write_failure(paths: RunPaths, failure: dict[str, str]) -> None:
    """Write error.json atomically."""
    write_json(paths.error, failure)


def _score(stored: dict[str, Any]) -> Score:
    numbers = {
        name: math.nan if stored[name] is None else stored[name]
        for name in ("value", "low", "high")
    }
    return Score(**{**stored, **numbers})


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
