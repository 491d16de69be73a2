"""Threads or processes: what loads the pictures of a run."""

from oodbench.core.errors import DataError
from oodbench.evaluation.loading import LimitedLoader, Loader
from oodbench.evaluation.process_loader import ProcessLoader
from oodbench.evaluation.reader import Reader
from oodbench.evaluation.thread_loader import ThreadLoader
from oodbench.runs.plan import Plan, decoders, decodes_in_processes
from oodbench.runs.skipping import most_skipped, too_many_skipped


def loader_of(plan: Plan, read: Reader, n_items: int, n_skipped: int = 0) -> Loader:
    """The loader that `data.loader` names; by default the faster one.

    Args:
        read: in this process.
        n_items: that the run has still to load.
        n_skipped: that the run has left out before.
    """
    loader = _unlimited(plan, read, n_items)
    data = plan.run.data
    if data.on_error != "skip":
        return loader
    n_planned = sum(plan.counts.values())

    def refused(n_left_out: int, reason: str) -> DataError:
        return too_many_skipped(data, n_skipped + n_left_out, n_planned, reason)

    most = most_skipped(data, n_planned) - n_skipped
    return LimitedLoader(loader, most=most, refused=refused)


def _unlimited(plan: Plan, read: Reader, n_items: int) -> Loader:
    data = plan.run.data
    workers = decoders(data)
    skip = data.on_error == "skip"
    threads = ThreadLoader(read, workers=workers, skip_unreadable=skip)
    if not decodes_in_processes(data, n_items):
        return threads
    return ProcessLoader(read.reading, threads, workers=workers, skip_unreadable=skip)
