"""The commands that run certain jobs of a sweep again, and no others."""

import re
from collections.abc import Sequence

from oodbench.sweeps.standing.definition import Sweep

_PLAIN = re.compile(r"[\w.+/-]+")
"""Values that can stand in a list of several."""

Job = tuple[str, ...]


def commands(sweep: Sweep, jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Arguments of `oodbench`, one list a command, whose jobs are those given and no others.

    Values of one key are joined, so that there are few commands.

    Args:
        sweep: that they are of; its launcher and config folder are kept.
        jobs: overrides of each.
    """
    if not jobs:
        return []
    options = ["--config-dir", sweep.config_dir] if sweep.config_dir else []
    start = ["-m", *options, *sweep.hydra]
    return [[*start, *job] for job in _joined([tuple(job) for job in jobs])]


def _joined(jobs: Sequence[Job]) -> list[Job]:
    """Joined at one place of the overrides after the other, first where it helps most."""
    shortest = list(jobs)
    while True:
        n_places = max(map(len, shortest))
        found = min((_along(place, shortest) for place in range(n_places)), key=len)
        if len(found) == len(shortest):
            return shortest
        shortest = found


def _along(place: int, jobs: Sequence[Job]) -> list[Job]:
    """Jobs that differ in nothing but the value of the override at a place, as one."""
    values: dict[tuple[Job, str, Job], list[str]] = {}
    alone: list[Job] = []
    for job in jobs:
        key, separator, value = job[place].partition("=") if place < len(job) else ("", "", "")
        if separator and _PLAIN.fullmatch(value):
            values.setdefault((job[:place], key, job[place + 1 :]), []).append(value)
        else:
            alone.append(job)
    joined = [
        (*before, f"{key}={','.join(dict.fromkeys(found))}", *after)
        for (before, key, after), found in values.items()
    ]
    return [*joined, *alone]
