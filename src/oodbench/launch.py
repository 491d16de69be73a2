"""What a launch did: where Hydra ran it, and how each of its jobs ended."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from oodbench.files import read_json, write_json

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """How one job ended: done, skipped, waiting (for other shards) or failed."""

    state: str
    cell: str
    message: str = ""


class RememberLaunch(Callback):
    """Hydra callback that keeps the folder of the launch, for `outcomes`."""

    directory: Path | None = None
    multirun = False

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """A single run starts."""
        RememberLaunch.directory = Path(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """A sweep starts."""
        RememberLaunch.directory = Path(config.hydra.sweep.dir)
        RememberLaunch.multirun = True


def write_outcome(directory: Path, outcome: Outcome) -> None:
    """Put a job's outcome into its log folder, whatever process it ran in."""
    write_json(directory / OUTCOME, asdict(outcome))


def outcomes(directory: Path) -> list[Outcome]:
    """Outcomes of all jobs of a launch, in job order."""
    paths = [directory / OUTCOME, *directory.glob(f"*{os.sep}{OUTCOME}")]
    paths.sort(key=lambda path: (len(path.parent.name), path.parent.name))
    return [Outcome(**content) for path in paths if isinstance(content := read_json(path), dict)]
