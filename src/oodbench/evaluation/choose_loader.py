"""Threads or processes: what loads the pictures of a run."""

from oodbench.evaluation.loading import Loader
from oodbench.evaluation.process_loader import ProcessLoader
from oodbench.evaluation.reader import Reader
from oodbench.evaluation.thread_loader import ThreadLoader
from oodbench.runs.plan import Plan, decoders, decodes_in_processes


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
    if not decodes_in_processes(data, n_items):
        return threads
    return ProcessLoader(read.reading, threads, workers=workers, skip_unreadable=skip)
