"""What a job leaves behind that fails: error.json for the tables, and a sign for the other jobs."""

import logging
import platform
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oodbench.core.errors import OodbenchError, cause_of, printable
from oodbench.core.schema import ON_FAILURE, RunConfig
from oodbench.runs.naming.difference import difference
from oodbench.runs.paths import RunPaths
from oodbench.runs.results import RunFailure, write_failure

log = logging.getLogger(__name__)

_, STOP = ON_FAILURE
_STOPPED = "stopped"
"""File in the folder of a launch whose further jobs are left."""


def keep_failure(run: RunConfig, paths: RunPaths, error: BaseException, message: str) -> None:
    """Leave error.json where tables find it; a full disk must not hide the reason.

    Args:
        run: the config.
        paths: of the run.
        error: as it was raised.
        message: the one line about it.
    """
    failure = RunFailure(
        key=paths.directory.name,
        model=run.model.name,
        benchmark=run.benchmark.name,
        preprocessing=str(run.preprocessing["name"]),
        attack=str(run.attack["name"]),
        difference=_difference(run),
        error=message,
        column=run.benchmark.column,
        attempt=attempt(run, error),
    )
    try:
        write_failure(paths, failure)
    except OSError as refused:
        log.warning("error.json could not be written: %s", refused)


def attempt(run: RunConfig, error: BaseException) -> dict[str, Any]:
    """What failed, as JSON; for the fields see `RunFailure`."""
    return {
        "cause": cause_of(error),
        "type": type(error).__name__,
        "traceback": printable("".join(traceback.format_exception(error))),
        "host": platform.node(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": asdict(run),
    }


def stop_others(launch: Path, run: RunConfig) -> None:
    """Have the jobs of a launch left that have not begun, where on_failure=stop asks for it."""
    if run.on_failure == STOP:
        try:
            (launch / _STOPPED).touch()
        except OSError as error:
            log.warning("%s: other jobs go on: %s", launch, error)


def is_stopped(launch: Path, run: RunConfig) -> bool:
    """Whether a job of the launch has failed, and on_failure=stop."""
    return run.on_failure == STOP and (launch / _STOPPED).exists()


def _difference(run: RunConfig) -> list[str]:
    """What was done otherwise; unknown where the config itself is what failed."""
    try:
        return difference(run)
    except OodbenchError:
        return ["config"]
