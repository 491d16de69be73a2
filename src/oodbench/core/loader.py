"""Decode and preprocess items in threads, in order, a bounded number ahead of the network."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def load_ahead(
    load: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int
) -> Iterator[R]:
    """Results of `load` in the order of `items`.

    Threads rather than processes: decoding and resizing release the interpreter lock, nothing is
    copied between processes, and no worker outlives an interrupted run.

    Args:
        load: called in a thread.
        items: taken one by one, as room becomes free.
        workers: number of threads.
        ahead: most results that may wait for the consumer.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
