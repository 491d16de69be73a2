"""Finished runs whose records turn out to be damaged or incomplete."""

from contextlib import suppress

from oodbench.core.errors import DataError
from oodbench.runs.results import RunFailure, RunResult, write_failure


def mark_unsound(result: RunResult, error: DataError) -> None:
    """Leave error.json beside a result, so that the next run opens the records and mends them.

    Args:
        result: read from disk; it stays as it is.
        error: what is wrong with its records. A folder that cannot be written is no error.
    """
    failure = RunFailure(
        key=result.key,
        model=result.model,
        benchmark=result.benchmark,
        preprocessing=result.preprocessing,
        attack=result.attack,
        difference=result.difference,
        error=str(error),
        column=result.column,
    )
    with suppress(OSError):
        write_failure(result.paths, failure)
