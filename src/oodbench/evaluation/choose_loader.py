"""Threads or processes: what loads the pictures of a run."""

from oodbench.evaluation.loading import Loader
from oodbench.evaluation.process_loader import ProcessLoader
from oodbench.evaluation.reader import Reader
from oodbench.evaluation.thread_loader import ThreadLoader
from oodbench.runs.plan import Plan, decoders

MOST_THREADS = 4
"""More of them wait for each other's interpreter lock as much as they decode."""

ITEMS_A_PROCESS = 100
"""With fewer, the run is over before a second is won that starting the processes takes."""


def loader_of(plan: Plan, read: Reader, n_items: int) -> Loader:
    """The loader that `data.loader` names; by default the faster one.

    Args:
        read: in this process.
        n_items: that the run has still to load.
    """
    data = plan.run.data
    workers = decoders(data)
    skip = data.on_error == "skip"
    threads = ThreadLoader(read, workers=workers, skip_unreadable=skip)
    if not _in_processes(plan, workers, n_items):
        return threads
    return ProcessLoader(read.reading, threads, workers=workers, skip_unreadable=skip)


def _in_processes(plan: Plan, workers: int, n_items: int) -> bool:
    data = plan.run.data
    if data.loader != "auto":
        return data.loader == "processes"
    in_memory = data.cache == "memory"  # of this process
    return workers > MOST_THREADS and n_items >= ITEMS_A_PROCESS * workers and not in_memory
