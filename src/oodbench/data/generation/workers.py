"""Tasks in processes, a bounded number ahead."""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from oodbench.core.errors import DataError, OodbenchError
from oodbench.data.corruptions.opencv import cv2

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc would return the memory of each picture and request it again: a tenth of the time
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 28)),
}


def carried_out(
    work: Callable[[T], R], tasks: Iterable[T], workers: int
) -> Generator[tuple[T, R | OodbenchError], None, None]:
    """Each task with its result or with the error that it ended in, in order of completion.

    Close it; that waits for the tasks in progress.

    Args:
        work: a function of a module, because it is called in other processes.
        tasks: taken one by one, as room becomes free.
        workers: number of processes; with 1, this one does the work.

    Raises:
        DataError: a process died.
    """
    if workers == 1:
        for task in tasks:
            yield task, _attempt(work, task)
        return
    with _environment():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start)
        try:
            yield from _results(pool, work, tasks, workers * _AHEAD)
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died, perhaps for want of memory: "
                "run the same command again with fewer --workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _results(
    pool: ProcessPoolExecutor, work: Callable[[T], R], tasks: Iterable[T], ahead: int
) -> Iterator[tuple[T, R | OodbenchError]]:
    running: dict[Future[R | OodbenchError], T] = {}

    def finished() -> Iterator[tuple[T, R | OodbenchError]]:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()

    for task in tasks:
        if len(running) >= ahead:
            yield from finished()
        with _interrupts_held():
            running[pool.submit(_attempt, work, task)] = task
    while running:
        yield from finished()


def _attempt(work: Callable[[T], R], task: T) -> R | OodbenchError:
    try:
        return work(task)
    except OodbenchError as error:
        return error


def _start() -> None:
    """Start a worker: the main process handles Ctrl-C, and one thread is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """End with the main process: if it is killed, workers would wait for tasks forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, so that a worker that starts here is not hit before it can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment() -> Iterator[None]:
    """Make processes started here compute in one thread each and keep their memory."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
