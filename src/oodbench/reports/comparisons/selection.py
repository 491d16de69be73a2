"""Which finished runs a word of the command line names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.runs.naming.other_names import other_names
from oodbench.runs.paths import RunPaths, runs_directory
from oodbench.runs.results import RunResult, StoredRuns, no_runs, read_result, read_results

_KEY = re.compile(r"[0-9a-f]{12}")
_FIELDS = ("model", "benchmark", "preprocessing", "attack")
"""What runs are told apart by, beside what they did otherwise than by these names."""


@dataclass(frozen=True)
class Selection:
    """The runs that one side of a comparison consists of.

    Attributes:
        word: as it was given.
        runs: at least one.
        free: fields in which a run and its partner have to agree, as the word says nothing of them.
    """

    word: str
    runs: Sequence[RunResult]
    free: frozenset[str]


def selected(word: str, output_root: Path, problems: list[str]) -> Selection:
    """The runs that a word names.

    Args:
        word: a folder of outputs; a run's folder or key; `field=pattern` pairs joined by commas,
            of model, benchmark, preprocessing and attack; or a pattern of model names.
        output_root: where the runs are, unless the word is a folder.
        problems: gets a line for every file that could not be used.

    Raises:
        DataError: there is no run at all, or the run's file is damaged.
        ConfigError: no run is of that name, or a field is none of these.
    """
    path = Path(word)
    if runs_directory(path).is_dir():
        return Selection(word, _all_runs(path, problems), frozenset((*_FIELDS, "difference")))
    if RunPaths(path).result.is_file():
        found = read_result(RunPaths(path).result)
        return Selection(word, [found] if found else [], frozenset({"benchmark"}))
    runs = _all_runs(output_root, problems)
    if _KEY.fullmatch(word):
        chosen, free = [run for run in runs if run.key == word], {"benchmark"}
    else:
        patterns = _patterns(word)
        chosen = [run for run in runs if _fits(run, patterns)]
        free = {*_FIELDS, "difference"} - patterns.keys()
    if not chosen:
        models = ", ".join(sorted({run.model for run in runs}))
        raise ConfigError(f"{word}: no finished run below {output_root} is of it; models: {models}")
    return Selection(word, chosen, frozenset(free))


def _all_runs(output_root: Path, problems: list[str]) -> list[RunResult]:
    stored: StoredRuns = read_results(output_root)
    problems += [line for line in stored.problems if line not in problems]
    if not stored.results:
        raise no_runs(output_root, stored.problems)
    return stored.results


def _patterns(word: str) -> dict[str, str]:
    if "=" not in word:
        return {"model": word}
    found = {}
    for part in word.split(","):
        name, equals, pattern = part.partition("=")
        if name not in _FIELDS or not equals:
            raise ConfigError(f"{word}: {name} is none of {', '.join(_FIELDS)}")
        found[name] = pattern
    return found


def _fits(run: RunResult, patterns: dict[str, str]) -> bool:
    return all(
        any(fnmatchcase(value, pattern) for value in _VALUES[name](run))
        for name, pattern in patterns.items()
    )


_VALUES: dict[str, Callable[[RunResult], list[str]]] = {
    "model": lambda run: [run.model],
    "benchmark": lambda run: [run.benchmark],
    "preprocessing": lambda run: [run.preprocessing, *other_names(run.paths)],
    "attack": lambda run: [run.attack],
}
