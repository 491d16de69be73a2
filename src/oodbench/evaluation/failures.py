"""Failures of a cell that are over: it has a result."""

from contextlib import suppress

from oodbench.runs.plan import Plan, unidentified_paths


def forget_failures(plan: Plan) -> None:
    """Remove the failures of the same cell, also those without a key.

    Raises:
        OSError: one cannot be removed.
    """
    plan.paths.error.unlink(missing_ok=True)
    unidentified = unidentified_paths(plan.run)
    unidentified.error.unlink(missing_ok=True)
    with suppress(OSError):  # of another shard that was first, or of a user's file in it
        unidentified.directory.rmdir()
