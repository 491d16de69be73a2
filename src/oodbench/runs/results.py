"""result.json and error.json: written, read and scanned here alone."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from oodbench.core.checksum import agrees, write_checked
from oodbench.core.errors import DataError
from oodbench.core.schema import ColumnConfig, ColumnMetric
from oodbench.core.shipped import is_official, shipped_column
from oodbench.metrics.attack_traits import AttackTraits, traits_before_they_were_stored
from oodbench.metrics.score import TO_POINTS, Score
from oodbench.runs.paths import RunPaths, all_runs, nested_roots, runs_directory

SCHEMA = 3
"""Of result.json, which did not say its own before 2; goes up when a field changes.

2: `column` does not say what figures need. 1: `difference` is text, and `attack_traits`, `column`
and `official` are not there.
"""

FAILURE_SCHEMA = 3
"""Of error.json, likewise. 2: `attempt` is not there."""

FOUND = ("directory", "modified")
"""Fields of a result that say where and when its file was found, and are not in it."""

_SPLIT_COUNTS = ("n_items", "n", "n_expected")

Content = TypeVar("Content")


class OtherSchema(DataError):
    """A file that another version of oodbench has written, sound as it may be."""


@dataclass(frozen=True)
class RunResult:
    """Scores of one run and what they rest on. Everything here depends on config and data alone.

    Attributes:
        key: 12 hex digits, the identity of the records.
        difference: what the run did otherwise than the published run, as overrides of the command
            line such as `attack.eps=0.03`; empty where nothing.
        status: complete, or partial where fewer pictures than the official count were scored.
        demo: the data are demo data.
        extension: the published run did not evaluate this model family on this benchmark.
        splits: by split, n (scored items), n_expected and the skipped ones; `is_count_known` false
            where n_expected is nothing but the number found.
        scores: by split ("" is the whole benchmark) and metric.
        weights: identity of the weights, None where unknown.
        config: what made the records, and how to score them again.
        attack_traits: what the attack said of itself; None without attack.
        attack_report: `oodbench.metrics.attack_checks.AttackReport` as JSON; None without attack.
        column: how the benchmark appears in the table.
        official: the benchmark's name is kept for the official files.
        trained_on: what the model has seen beyond ImageNet-1k, as its config says.
        directory, modified: where and when the file was found; not in it.
    """

    key: str
    model: str
    benchmark: str
    preprocessing: str
    attack: str
    difference: list[str]
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
    attack_traits: AttackTraits | None
    attack_report: dict[str, Any] | None = None
    column: ColumnConfig = field(default_factory=ColumnConfig)
    official: bool = False
    trained_on: str | None = None
    directory: Path = field(default=Path(), compare=False)
    modified: float = field(default=0.0, compare=False)

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Items of all splits that could not be read and were left out: `image` and `reason`."""
        return [item for split in self.splits.values() for item in split.get("skipped", ())]

    @property
    def is_count_known(self) -> bool:
        """Whether the official number of pictures is; else those found are taken for all."""
        return all(split.get("is_count_known", True) for split in self.splits.values())

    @property
    def attack_warnings(self) -> list[str]:
        """Names of the checks of the run's own attack report that warn."""
        checks = (self.attack_report or {}).get("checks", ())
        return [str(check["name"]) for check in checks if check["verdict"] == "warn"]

    @property
    def paths(self) -> RunPaths:
        """Where the run's files are."""
        return RunPaths(self.directory)


@dataclass(frozen=True)
class RunFailure:
    """Why the last attempt at a run failed; the fields are those of `RunResult`.

    Attributes:
        error: one line.
        attempt: what failed: `cause` (see `oodbench.core.errors.cause_of`), `type`, `traceback`,
            `host`, `time` and the run's `config`; empty where nothing was attempted.
    """

    key: str
    model: str
    benchmark: str
    preprocessing: str
    attack: str
    difference: list[str]
    error: str
    column: ColumnConfig = field(default_factory=ColumnConfig)
    attempt: dict[str, Any] = field(default_factory=dict)


_SCHEMAS: dict[type, int] = {RunResult: SCHEMA, RunFailure: FAILURE_SCHEMA}


@dataclass(frozen=True)
class StoredRuns:
    """What is on disk below an output root, each sorted by path.

    Attributes:
        results: of finished runs.
        failures: of runs whose last attempt failed.
        problems: one line for every result.json and error.json that cannot be used.
    """

    results: list[RunResult]
    failures: list[RunFailure]
    problems: list[str]


def write_result(path: Path, result: RunResult) -> None:
    """Write result.json atomically, with its checksum; NaN becomes null."""
    write_checked(path, {"schema": SCHEMA, **result_content(result)})


def write_failure(paths: RunPaths, failure: RunFailure) -> None:
    """Write error.json atomically, with its checksum."""
    write_checked(paths.error, {"schema": FAILURE_SCHEMA, **without_nan(asdict(failure))})


def result_content(result: RunResult) -> dict[str, Any]:
    """A result as JSON, without its place and time; NaN becomes null."""
    content = without_nan(asdict(result))
    return {name: value for name, value in content.items() if name not in FOUND}


def is_written(path: Path) -> bool:
    """Whether there is a result that was not cut short, by its last bytes alone: of thousands."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(-2, os.SEEK_END)
            return file.read().rstrip().endswith(b"}")
    except OSError:
        return False


def read_result(path: Path) -> RunResult | None:
    """A result of this schema or of an older one; None where there is no file.

    Raises:
        DataError: the file is damaged; `OtherSchema`: of a newer schema.
    """
    content = _content(path, RunResult)
    if content is None:
        return None
    found = {"directory": path.parent, "modified": path.stat().st_mtime}
    return _made(path, RunResult, {**content, **found})


def read_failure(path: Path) -> RunFailure | None:
    """As `read_result`, of an error.json."""
    content = _content(path, RunFailure)
    return None if content is None else _made(path, RunFailure, content)


def read_results(output_root: Path) -> StoredRuns:
    """All runs below the output root; a file that cannot be used is among the problems."""
    problems: list[str] = []
    runs = all_runs(output_root)
    results = _scan(runs, lambda paths: paths.result, read_result, problems)
    failures = _scan(runs, lambda paths: paths.error, read_failure, problems)
    return StoredRuns(results, failures, problems)


def no_runs(output_root: Path, problems: Sequence[str] = ()) -> DataError:
    """That there is no run to report on, after the lines that say which could not be used."""
    none = f"no finished run below {runs_directory(output_root)}; run oodbench model=… first"
    if others := [str(root) for root in nested_roots(output_root)]:
        none += f", or give --output-root {' or '.join(others)}, where there are runs"
    return DataError("\n".join([*problems, none]))


def _scan(
    runs: Sequence[RunPaths],
    file: Callable[[RunPaths], Path],
    read: Callable[[Path], Content | None],
    problems: list[str],
) -> list[Content]:
    found = []
    for paths in runs:
        try:
            content = read(file(paths))
        except DataError as error:
            problems.append(str(error))
        else:
            found += [] if content is None else [content]
    return found


def score_of(stored: Mapping[str, Any]) -> Score:
    """A score from JSON, null being NaN.

    Raises:
        KeyError, TypeError: it is not one.
    """
    if stored["unit"] not in TO_POINTS:
        raise TypeError(f"unit {stored['unit']}")
    numbers = {
        name: math.nan if stored[name] is None else float(stored[name])
        for name in ("value", "low", "high")
    }
    return Score(**{**stored, **numbers})


def without_nan(content: Any) -> Any:
    """JSON content with null for every number that is not finite."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _content(path: Path, kind: type) -> dict[str, Any] | None:
    """Fields of a stored result or failure, brought to the present schema and checked."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - of thousands that are not there
            content = json.loads(file.read().decode())
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise DataError(f"{path}: not used: a folder in the place of a file; remove it") from None
    except (OSError, ValueError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or str(error)) from None
    if not isinstance(content, dict):
        raise _unusable(path, f"it holds no {kind.__name__}")
    schema = content.get("schema", 1)
    if schema not in range(1, _SCHEMAS[kind] + 1):
        raise OtherSchema(
            f"{path}: not used: schema {schema}, and this oodbench reads up to "
            f"{_SCHEMAS[kind]}; "
            "update oodbench"
        )
    if not agrees(content):
        raise _unusable(path, "its checksum is another")
    content.pop("schema", None)
    content = _migrated(content) if schema == 1 else content
    if wrong := _wrong_fields(content, kind):
        raise _unusable(path, wrong)
    return content


def _migrated(content: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 as 2: the one place where the text of a difference is taken apart."""
    migrated = dict(content)
    if isinstance(text := content.get("difference"), str):
        migrated["difference"] = [word for word in re.split(r", (?=[\w.@]+=)", text) if word]
    name = str(content.get("benchmark"))
    migrated["column"] = asdict(shipped_column(name) or ColumnConfig())
    if "scores" in content:
        migrated["official"] = is_official(name)
        config = content.get("config")
        attack = config.get("attack") if isinstance(config, dict) else None
        traits = traits_before_they_were_stored(attack or {})
        migrated["attack_traits"] = None if traits is None else asdict(traits)
    return migrated


def _wrong_fields(content: Mapping[str, Any], kind: type) -> str:
    """What keeps the content from being such an object, "" where nothing does."""
    fits, needed = _expected_fields(kind)
    if missing := [name for name in needed if name not in content]:
        return f"fields missing: {', '.join(missing)}"
    if unknown := [name for name in content if name not in fits]:
        return f"fields unknown: {', '.join(unknown)}"
    wrong = [name for name, value in content.items() if not fits[name](value)]
    return f"fields of another type: {', '.join(wrong)}" if wrong else ""


@cache
def _expected_fields(kind: type) -> tuple[dict[str, Callable[[Any], bool]], list[str]]:
    """By name, whether a value of JSON fits the field; and the fields that must be there."""
    types = get_type_hints(kind)
    known = [field for field in fields(kind) if field.name not in FOUND]
    needed = [
        field.name
        for field in known
        if field.default is MISSING and field.default_factory is MISSING
    ]
    return {field.name: _fits(types[field.name]) for field in known}, needed


def _fits(hint: Any) -> Callable[[Any], bool]:
    """Whether a value of JSON is of a type, of which containers are looked into."""
    origin, inner = get_origin(hint), [_fits(one) for one in get_args(hint)]
    if origin is UnionType:
        return lambda value: any(fits(value) for fits in inner)
    if origin is list:
        return lambda value: isinstance(value, list) and all(map(inner[0], value))
    if origin is dict:
        return lambda value: isinstance(value, dict) and all(map(inner[1], value.values()))
    if hint is Any:
        return lambda _: True
    if hint in (Score, ColumnConfig, AttackTraits):
        return lambda value: isinstance(value, dict)
    return lambda value: type(value) is hint


def _made(path: Path, kind: type[Content], content: dict[str, Any]) -> Content:
    """The object of checked fields; what is nested in it is checked here."""
    try:
        nested: dict[str, Any] = {}
        if "column" in content:
            nested["column"] = _column(content["column"])
        if content.get("attack_traits") is not None:
            nested["attack_traits"] = AttackTraits(**content["attack_traits"])
        if "scores" in content:
            nested["scores"] = {
                split: {metric: score_of(score) for metric, score in scores.items()}
                for split, scores in content["scores"].items()
            }
        for counts in content.get("splits", {}).values():
            _ = [int(counts[name]) for name in _SPLIT_COUNTS], len(counts["skipped"])
        return kind(**{**content, **nested})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unusable(path, f"{type(error).__name__}: {error}") from None


def _column(stored: Mapping[str, Any]) -> ColumnConfig:
    metrics = {name: ColumnMetric(**metric) for name, metric in stored["metrics"].items()}
    return ColumnConfig(**{**stored, "metrics": metrics})


def _unusable(path: Path, reason: str) -> DataError:
    said = " ".join(reason.split())
    return DataError(f"{path}: not used: damaged ({said}); run the same cell again")
