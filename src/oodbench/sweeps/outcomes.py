"""What a launch did: where Hydra ran it, and how each of its jobs ended."""

import logging
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from oodbench.core.errors import ConfigError
from oodbench.core.files import read_json, write_json
from oodbench.sweeps.jobs import expanded_jobs, given_config_dir
from oodbench.sweeps.standing.definition import keep_sweep, sweep_of

log = logging.getLogger(__name__)

OUTCOME = "outcome.json"
PART_OF_A_SWEEP = "OODBENCH_PART_OF_A_SWEEP"
"""Environment variable of a process that computes a part of a sweep that is kept already."""

_IS_SWEEP = "hydra.mode=MULTIRUN"
"""What Hydra makes of `-m`."""

AT_THE_END = "at_the_end"
"""Attribute of a log record that a sweep says at its end."""


@dataclass(frozen=True)
class Outcome:
    """How one job ended: done, skipped, waiting (for other shards), left or failed.

    Attributes:
        cause: of a failure, see `oodbench.core.errors.cause_of`.
        overrides: of the command line that repeats the job.
        log: path of a log file with more than the message says, "" where there is no more.
    """

    state: str
    cell: str
    message: str = ""
    overrides: list[str] = field(default_factory=list)
    log: str = ""
    cause: str = ""

    def failure(self) -> str:
        """Why it failed, with the overrides; one line."""
        more = f" (traceback: {self.log})" if self.log else ""
        return f"failed: {' '.join(self.overrides) or self.cell}: {self.message}{more}"


class NotAtTheEnd(logging.Filter):
    """Keeps from the console what a sweep says at its end; log files have it all."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the console shows it now."""
        return not getattr(record, AT_THE_END, False)


class RememberLaunch(Callback):
    """Hydra callback that keeps the folder of the launch, for `outcomes`."""

    directory: Path | None = None
    multirun = False

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """A single run starts."""
        _say_what_is_ignored(config)
        RememberLaunch.directory = Path(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """A sweep starts."""
        _say_what_is_ignored(config)
        _keep_jobs(config)
        RememberLaunch.directory = Path(config.hydra.sweep.dir)
        RememberLaunch.multirun = True

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """A job has ended: its configs go, which launchers send back and keep, 0.2 MB a job."""
        job_return.cfg = job_return.hydra_cfg = None


def _keep_jobs(config: DictConfig) -> None:
    """Write down which jobs there are, where they are known beforehand: for `oodbench-status`."""
    if PART_OF_A_SWEEP in os.environ:
        return
    config_dir = given_config_dir(sys.argv[1:])
    overrides = config.hydra.overrides
    hydra = [text for text in overrides.hydra if text != _IS_SWEEP]
    with suppress(ConfigError, OSError):
        found = expanded_jobs(config, config_dir)
        sweep = sweep_of(list(overrides.task), found, hydra=hydra, config_dir=config_dir)
        keep_sweep(Path(config.output_root), sweep)


def ignored_configs(folder: Path) -> list[Path]:
    """Files of a user's config folder whose names are shipped: Hydra takes the shipped ones."""
    shipped = files("oodbench.conf")
    return [
        path
        for path in sorted(folder.glob("*/*.yaml"))
        if shipped.joinpath(path.parent.name, path.name).is_file()
    ]


def _say_what_is_ignored(config: DictConfig) -> None:
    for source in config.hydra.runtime.config_sources:
        if source.schema == "file" and source.provider != "main":
            for path in ignored_configs(Path(source.path)):
                print(
                    f"warning: {path} is ignored: oodbench has a config of that name; rename it",
                    file=sys.stderr,
                )


_unwritten: dict[Path, list[Outcome]] = {}
"""By the folder of a launch: what this process could not write down, as on a full disk."""


def write_outcome(directory: Path, outcome: Outcome) -> None:
    """Write a job's outcome to its log folder, whatever process it ran in."""
    try:
        write_json(directory / OUTCOME, asdict(outcome))
    except OSError as error:
        log.warning("%s could not be written: %s", directory / OUTCOME, error)
        for launch in (directory, directory.parent):
            _unwritten.setdefault(launch.absolute(), []).append(outcome)


def outcomes(directory: Path) -> list[Outcome]:
    """Outcomes of all jobs of a launch, in job order."""
    paths = [directory / OUTCOME, *directory.glob(f"*{os.sep}{OUTCOME}")]
    paths.sort(key=lambda path: (len(path.parent.name), path.parent.name))
    found = [Outcome(**content) for path in paths if isinstance(content := read_json(path), dict)]
    return [*found, *_unwritten.get(directory.absolute(), ())]
