"""Files that killed processes left in a run's folder."""

from pathlib import Path

from oodbench.core.files import PART
from oodbench.core.lease import SUFFIX, discard, holder, remove_if_abandoned
from oodbench.runs.claims import lease_path
from oodbench.runs.paths import RunPaths


def remove_leftovers(paths: RunPaths) -> None:
    """Remove half-written files and leases whose owners are gone, of oodbench's own making alone.

    A chunk is written by the holder of its lease: one that nobody holds is not being written.
    Other files have no lease and go when they are older than a lease may be.
    """
    for lease in paths.records.glob(f".*.parquet{SUFFIX}*"):
        discard(lease)
    for part in paths.records.glob(f".*.parquet.*{PART}"):
        if holder(lease_path(_target(part))) is None:
            part.unlink(missing_ok=True)
    for part in paths.directory.glob(f".*.json.*{PART}"):
        remove_if_abandoned(part)


def _target(part: Path) -> Path:
    """The file in whose place it was to be put."""
    return part.with_name(part.name.removeprefix(".").rsplit(".", 2)[0])
