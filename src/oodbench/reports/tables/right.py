"""Which pictures a run got right, kept beside it so that tables need not read its records again."""

import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.core.checksum import agrees, write_checked
from oodbench.core.errors import DataError
from oodbench.core.files import read_json
from oodbench.metrics.groups import UNKNOWN
from oodbench.reports.comparisons.decisions import right_by_position
from oodbench.runs.results import RunResult

Flags = NDArray[np.int8]

RULES = 1
"""Version of what counts as right; goes up when that changes."""


def right_pictures(run: RunResult, problems: list[str]) -> Flags | None:
    """Of each picture, by its position, 1 where it is right, 0 where it is wrong, or `UNKNOWN`.

    They are read from the run's right.json where they are there; else they are made from the
    records and kept in it.

    Args:
        run: one of a single split whose items are pictures.
        problems: gets a line where the records are damaged or missing.

    Returns:
        int8 `(n_items,)`; None where there are several splits or the records cannot be used.
    """
    if list(run.splits) != [""]:
        return None
    rests_on = {"key": run.key, "rules": RULES, "counts": _counts(run)}
    kept = _read(run, rests_on)
    if kept is not None:
        return kept
    try:
        flags = right_by_position(run, "")
    except DataError as error:
        problems.append(str(error))
        return None
    if flags is not None:
        packed = b64encode(zlib.compress(flags.tobytes())).decode()
        with suppress(OSError):
            write_checked(run.paths.right, {"rests_on": rests_on, "right": packed})
    return flags


def _counts(run: RunResult) -> list[int]:
    split = run.splits[""]
    return [int(split["n_items"]), int(split["n"])]


def _read(run: RunResult, rests_on: dict[str, Any]) -> Flags | None:
    """What was kept of the same records; None where there is nothing, or it is damaged."""
    with suppress(OSError, KeyError, TypeError, ValueError, AttributeError, zlib.error):
        stored = read_json(run.paths.right)
        if agrees(stored) and stored["rests_on"] == rests_on:
            return np.frombuffer(zlib.decompress(b64decode(stored["right"])), np.int8)
    return None


def accuracy(flags: Flags) -> float:
    """Share of right pictures among those that were scored; NaN where there are none."""
    known = flags[flags != UNKNOWN]
    return float(known.mean()) if len(known) else float("nan")
