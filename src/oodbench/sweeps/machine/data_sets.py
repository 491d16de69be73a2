"""Which benchmarks have their data on disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from oodbench.benchmarks.inspection.configs import shipped_configs
from oodbench.benchmarks.inspection.finding import Inspection
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.sweeps.machine.findings import Finding


def data_sets(data_root: Path) -> Iterator[Finding]:
    """Benchmarks that can be measured, those whose data are incomplete, and how many have none."""
    found = [
        inspect(config, data_root, Depth(names=False)) for config in shipped_configs(data_root)
    ]
    whole = [one for one in found if one.good]
    part = [one for one in found if one.there and not one.good]
    none = [one for one in found if not one.there]
    yield Finding("complete", "ok" if whole else "-", _named(whole))
    if part:
        mend = f"oodbench-data check --data-root {data_root}"
        yield Finding("incomplete", "-", _named(part), mend)
    if none:
        mend = f"oodbench-data list --data-root {data_root}"
        yield Finding("not there", "-", _named(none), mend)


def _named(found: Sequence[Inspection]) -> str:
    names = ", ".join(one.benchmark for one in found)
    return f"{len(found)} benchmarks{': ' if names else ''}{names}"
