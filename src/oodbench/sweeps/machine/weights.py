"""Which models' weights are on disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from oodbench.core.errors import OodbenchError
from oodbench.core.schema import RunConfig
from oodbench.models.inventory import find_stored
from oodbench.reference import published_models
from oodbench.sweeps.catalogue import load_runs, model_names
from oodbench.sweeps.machine.findings import Finding

_NAMED = 6
"""Models that are named in a line."""


def weights() -> Iterator[Finding]:
    """Of the shipped models; those of the published table first."""
    runs = load_runs(model_names())
    published = [run for run in runs if run.model.name in published_models()]
    others = [run for run in runs if run not in published]
    yield _finding("published models", published, "oodbench-models fetch --published")
    yield _finding("other models", others, "")


def _finding(name: str, runs: Sequence[RunConfig], mend: str) -> Finding:
    there = [run.model.name for run in runs if _is_there(run)]
    named = ", ".join(there[:_NAMED]) + (", …" if len(there) > _NAMED else "")
    said = f"{len(there)} of {len(runs)} are on disk{': ' if there else ''}{named}"
    complete = len(there) == len(runs)
    return Finding(name, "ok" if complete else "-", said, "" if complete else mend)


def _is_there(run: RunConfig) -> bool:
    try:
        return bool(find_stored(run.model, Path(run.weights.dir)))
    except OodbenchError:
        return False
