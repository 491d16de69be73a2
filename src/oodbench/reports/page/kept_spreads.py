"""spread_<field>.kept.json: how far a field moves the numbers, with the runs that it rests on.

Spreads compare records; a report that finds the same runs again reads none.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from oodbench.core.checksum import agrees, checksum, write_checked
from oodbench.core.errors import DataError
from oodbench.core.files import read_json
from oodbench.reports.comparisons.spread import spreads, varied_groups
from oodbench.reports.comparisons.spread_text import content_of
from oodbench.reports.kept_scores import result_digest
from oodbench.runs.paths import kept_spread
from oodbench.runs.results import RunResult

VERSION = 1
"""Of what is kept; goes up when the same runs would give something else."""


def kept_spreads(
    output_root: Path, field: str, results: Sequence[RunResult], problems: list[str]
) -> dict[str, Any] | None:
    """The spreads of a field as JSON, see `content_of`, read back or computed and kept.

    Args:
        output_root: where the runs are. A folder that cannot be written is no error.
        field: preprocessing, attack or engine.
        results: of all runs there.
        problems: gets a line for every run whose records cannot be used.

    Returns:
        None where no two runs differ in the field alone.
    """
    groups = varied_groups(results, field)
    if not groups:
        return None
    path = kept_spread(output_root, field)
    grounds = checksum([VERSION, [[result_digest(run) for run in runs] for runs in groups]])
    if (found := _read(path, grounds)) is not None:
        return found
    try:
        computed = spreads(output_root, field)
    except DataError as error:
        problems += [line for line in str(error).splitlines()[:-1] if line not in problems]
        return None
    problems += [line for line in computed.problems if line not in problems]
    content = content_of(computed)
    if not computed.problems:
        with suppress(OSError):
            write_checked(path, {"rests_on": grounds, "content": content})
    return content


def _read(path: Path, grounds: str) -> dict[str, Any] | None:
    with suppress(OSError, KeyError, TypeError, AttributeError):
        stored = read_json(path)
        if agrees(stored) and stored["rests_on"] == grounds:
            return dict(stored["content"])
    return None
