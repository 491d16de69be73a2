"""Log a finished run as the config says. What goes wrong there does not fail the run."""

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from oodbench.core.building import build
from oodbench.core.errors import failure_line
from oodbench.core.ids import TARGET
from oodbench.runs.results import RunResult
from oodbench.sweeps.loggers.base import Logger, logged

log = logging.getLogger("oodbench")


def log_result(node: Mapping[str, Any], result: RunResult) -> None:
    """Log a result that is on disk; also one that was there already, which may not be logged yet.

    Args:
        node: the `logger` node of the config; one without a class logs nothing.
        result: of a finished run.
    """
    if TARGET not in node:
        return
    try:
        arguments = {name: value for name, value in node.items() if name != "name"}
        logger: Logger = build(arguments, "logger")
        with redirect_stdout(sys.stderr):  # libraries print where there are results alone
            logger.log(logged(result))
    except Exception as error:  # a server that is away, a full disk, a library that has changed
        log.warning(
            "logger=%s: %s × %s is not logged: %s: the same command does it again",
            *(node.get("name"), result.model, result.benchmark, failure_line(error)),
        )
