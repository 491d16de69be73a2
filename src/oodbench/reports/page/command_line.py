"""The command line that asks for a run again."""

import shlex

from oodbench.reports.tables.rows import pipeline_of
from oodbench.runs.results import RunResult

_WIDTH = 80
_FIELD = "preprocessing."


def command_line(run: RunResult) -> str:
    """`oodbench model=… benchmark=… …`, for a shell, broken into lines where it is long.

    What a run did otherwise is in it word by word; a pipeline that ships under no name, with all
    its fields. The configs of one's own names have to be there (`--config-dir`).

    Args:
        run: a finished run.
    """
    words = [f"model={run.model}", f"benchmark={run.benchmark}"]
    words += [] if run.preprocessing == "published" else [f"preprocessing={run.preprocessing}"]
    words += [] if run.attack == "none" else [f"attack={run.attack}"]
    otherwise = [word for word in run.difference if word not in words]
    fields = [word for word in otherwise if word.startswith(_FIELD)]
    words += [word for word in otherwise if word not in fields]
    words += _pipeline(run) or fields if fields else []
    words += [*_seed(run), *_data(run)]
    return _broken(["oodbench", *map(shlex.quote, words)])


def _pipeline(run: RunResult) -> list[str]:
    """All fields, those that the config of the name does not have, too."""
    return [f"++{_FIELD}{name}={value or 'null'}" for name, value in pipeline_of(run).items()]


def _seed(run: RunResult) -> list[str]:
    seed = run.config.get("seed", 0)
    named = any(word.startswith("seed=") for word in run.difference)
    return [] if named or not seed else [f"seed={seed}"]


def _data(run: RunResult) -> list[str]:
    """Where the pictures are, and how many of them were asked for where these are not all."""
    protocol = (run.config.get("benchmark") or {}).get("protocol") or {}
    root = protocol.get("root")
    words = [f"benchmark.root={root}"] if isinstance(root, str) else []
    if run.demo:
        return [*words, "data.allow_partial=true"]
    if run.status == "complete":
        return words
    most = max((int(counts["n_items"]) for counts in run.splits.values()), default=0)
    missing = ["data.allow_partial=true"] if run.missing_splits else []
    return [*words, f"limit={most}", *missing]


def _broken(words: list[str]) -> str:
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 1 > _WIDTH:
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    return " \\\n".join(lines)
