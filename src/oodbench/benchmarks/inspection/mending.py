"""The commands that mend a data set."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from oodbench.data.archives.arrangements.table import ARRANGEMENTS
from oodbench.data.sets.facts import DataSet


@dataclass(frozen=True)
class Mending:
    """What to do about a data set that is not as it should be.

    Attributes:
        anew: the command that makes it from its archives, or where to read how.
        sort: the command that sorts the files that are there by their names; where there is none,
            the same as `anew`.
    """

    anew: str
    sort: str


def mending(name: str, root: Path, data_set: DataSet | None, data_root: Path) -> Mending:
    """The commands for a benchmark.

    Args:
        name: of the benchmark.
        root: of the benchmark.
        data_set: that it reads; None: unknown.
        data_root: that data sets are below.
    """
    if data_set is None:
        return Mending("complete the data", "complete the data")
    if data_set.arrange is None:
        return Mending(f"see {data_set.page}", f"see {data_set.page}")
    to = shlex.quote(str(data_root))
    anew = f"oodbench-data prepare {name} --from ARCHIVES --to {to}"
    if not ARRANGEMENTS[data_set.arrange].by_name or root != data_root / data_set.place:
        return Mending(anew, anew)
    return Mending(
        anew, f"oodbench-data prepare {name} --from {shlex.quote(str(root))} --to {to} --move"
    )
