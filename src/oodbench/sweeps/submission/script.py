"""The script of a job array, as `sbatch` reads it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import ConfigError

SIGNAL_SECONDS = 180
"""Before its time is over, a task is told so, keeps what it has and is queued again."""


@dataclass(frozen=True)
class Resources:
    """What a task of the array gets.

    Attributes:
        time: limit, as sbatch takes it.
        gpus, cpus: how many.
        memory: as sbatch takes it.
        at_once: tasks that may run at the same time.
        options: further options of sbatch, such as `--account=NAME`.
        setup: lines of the shell before the task, such as `module load cuda`.
        wrapper: words before the command, such as those of a container.
        python: that runs oodbench.
    """

    time: str
    gpus: int
    cpus: int
    memory: str
    at_once: int
    options: Sequence[str]
    setup: Sequence[str]
    wrapper: Sequence[str]
    python: str


def script_of(folder: Path, n_tasks: int, resources: Resources) -> str:
    """The whole script.

    Args:
        folder: of the submission, absolute; holds the tasks and gets their logs.
        n_tasks: of the array.
        resources: of each task.

    Raises:
        ConfigError: an option that is none of sbatch, or a text of several lines.
    """
    options = [
        "--job-name=oodbench",
        f"--array=0-{n_tasks - 1}%{resources.at_once}",
        f"--time={resources.time}",
        f"--cpus-per-task={resources.cpus}",
        f"--mem={resources.memory}",
        *([f"--gpus-per-node={resources.gpus}"] if resources.gpus else []),
        "--requeue",
        "--open-mode=append",
        f"--output={folder}/%a.log",
        f"--signal=B:USR1@{SIGNAL_SECONDS}",
        *resources.options,
    ]
    for text in options:
        if not text.startswith("-") or "\n" in text:
            raise ConfigError(f"--sbatch {text!r}: no option of sbatch, such as --account=NAME")
    # The task takes the place of the shell, so that signals reach it.
    task = [resources.python, "-m", "oodbench.cli.submit", "--task-of", str(folder)]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {_quoted(text)}" for text in options),
            *resources.setup,
            f"exec {shlex.join([*resources.wrapper, *task])}",
            "",
        ]
    )


def _quoted(option: str) -> str:
    """sbatch splits at spaces and knows double quotes."""
    if " " not in option:
        return option
    name, equals, value = option.partition("=")
    return f'{name}{equals}"{value}"'
