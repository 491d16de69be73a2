"""How far a sweep is, for people."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from oodbench.core.errors import visible
from oodbench.sweeps.standing.definition import Sweep
from oodbench.sweeps.standing.job_file import RUNNING, STOPPED
from oodbench.sweeps.standing.standing import FAILED, LOST, STATES, Standing

_CAUSES = {"memory": "out of memory: ", "disk": "disk: ", "fault": "unexpected: "}

_MOST = 10
"""Jobs of a state that are named."""


def text_of(sweep: Sweep, found: Sequence[Standing], *, whole: bool = False) -> str:
    """Counts, what runs, what was stopped or lost, and what failed.

    Args:
        sweep: which it is.
        found: its jobs.
        whole: whether all jobs of these states are named, else the first ones.
    """
    lines = [headline(sweep, found)]
    most = len(found) if whole else _MOST
    for state, line in _LINES:
        jobs = [job for job in found if job.state == state]
        lines += [f"{state}:"] if jobs else []
        lines += [f"  {visible(line(job))}" for job in jobs[:most]]
        lines += [f"  {len(jobs) - most} more: --all names them"] if len(jobs) > most else []
    return "\n".join(lines)


def headline(sweep: Sweep, found: Sequence[Standing]) -> str:
    """How many jobs are in which state."""
    counts = Counter(job.state for job in found)
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(sweep.launched))
    jobs = f"{len(found)} job{'' if len(found) == 1 else 's'}"
    return f"sweep {sweep.identity}, last launched {when}: {jobs}: {said or 'none'}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h` or `2.1 days`."""
    for limit, unit, size in ((90, "s", 1), (90 * 60, "min", 60), (48 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if unit == "h" else f"{value:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"


def _running(job: Standing) -> str:
    if not job.n_items:
        return f"{job.cell}: {job.where}"
    done = f"{job.cell}: {job.n_done:,} of {job.n_items:,}"
    rate = f", {job.rate:,.1f} a second" if job.rate else ""
    left = f", {duration(job.seconds_left)} left" if job.seconds_left is not None else ""
    return f"{done}{rate}{left}: {job.where}"


def _lost(job: Standing) -> str:
    return f"{job.cell}: {_kept(job)}{job.where} was killed, or its machine was lost"


def _stopped(job: Standing) -> str:
    return f"{job.cell}: {_kept(job)}{job.where} was stopped by {job.message}"


def _kept(job: Standing) -> str:
    return f"{job.n_done:,} of {job.n_items:,} are kept: " if job.n_items else ""


def _failed(job: Standing) -> str:
    more = f" (traceback: {job.log})" if job.log else ""
    return f"{_CAUSES.get(job.cause, '')}{job.cell}: {job.message}{more}"


_LINES: tuple[tuple[str, Callable[[Standing], str]], ...] = (
    (RUNNING, _running),
    (STOPPED, _stopped),
    (LOST, _lost),
    (FAILED, _failed),
)
"""What is said of a job, by its state, in this order."""
