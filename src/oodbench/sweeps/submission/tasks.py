"""Which jobs of a sweep one task of an array computes: all of a model, or of a shard of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import read_json, write_json
from oodbench.sweeps.standing.definition import Sweep
from oodbench.sweeps.standing.retry import commands

_OF_TASK = ("model", "shard")
"""Groups whose overrides tell tasks apart: a model is loaded once for all of its benchmarks."""

_FILE = "tasks.json"


@dataclass(frozen=True)
class Task:
    """One task of an array.

    Attributes:
        name: the overrides that set it apart.
        commands: arguments of `oodbench`, one list a command.
    """

    name: str
    commands: list[list[str]]


def tasks_of(sweep: Sweep, jobs: Sequence[Sequence[str]]) -> list[Task]:
    """The tasks that compute certain jobs of a sweep."""
    by_name: dict[str, list[Sequence[str]]] = {}
    for job in jobs:
        by_name.setdefault(" ".join(filter(_is_of_task, job)), []).append(job)
    return [Task(name, commands(sweep, of_task)) for name, of_task in by_name.items()]


def _is_of_task(override: str) -> bool:
    return override.partition("=")[0].partition(".")[0].lstrip("+~") in _OF_TASK


def write_tasks(folder: Path, tasks: Sequence[Task]) -> None:
    """Write them where the tasks of the array find them."""
    write_json(folder / _FILE, [vars(task) for task in tasks])


def read_task(folder: Path, number: int) -> Task:
    """One of the tasks of an array.

    Raises:
        DataError: there is no such task.
    """
    content = read_json(folder / _FILE)
    try:
        return Task(**content[number])
    except (TypeError, KeyError, IndexError):
        raise DataError(f"{folder / _FILE}: no task {number}: submit the sweep again") from None
