"""Loads in worker processes, which write the pixels to memory that this process reads.

A picture costs the threads of one process about half a millisecond in which no other thread can
run, whatever their number (`measurements/loading.py`): from some cores on, more of them do not
help. The processes here share nothing but the pixels, and items are ordered and answered several at
a time.
"""

import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import cast

from oodbench.core.errors import DataError
from oodbench.core.files import GIB
from oodbench.core.resampling.unresized import LARGEST, Layout
from oodbench.data.read_files import Decoded
from oodbench.evaluation.load_worker import Answer, Found, Order, Start
from oodbench.evaluation.loading import ItemPixels, Loaded, Task, left_out
from oodbench.evaluation.reader import Reading
from oodbench.evaluation.shared_slots import SharedSlots
from oodbench.evaluation.thread_loader import ThreadLoader

log = logging.getLogger(__name__)

TOGETHER = 8
"""Items an order: then sending and receiving it costs little an item."""

_LARGE = 1 << 20
"""Bytes of an item, such as a clip, that is ordered alone."""

_ORDERS = 4
"""Orders that a worker has at a time, so that it need not wait for the next one."""

_MEMORY = GIB
"""Bytes that the slots may take."""

_PATIENCE = 10.0
"""Seconds that a worker has to finish its item at the end."""

_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc would return the memory of each picture and request it again: a tenth of the time
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 28)),
}


class ProcessLoader:
    """The loader for many cores.

    Args:
        reading: what the workers need to know.
        first: loads, in this process, the items that show how large the pixels are.
        workers: processes.
        skip_unreadable: leave out items that cannot be read.
    """

    def __init__(
        self, reading: Reading, first: ThreadLoader, *, workers: int, skip_unreadable: bool
    ) -> None:
        self._reading = reading
        self._first = first
        self._workers = workers
        self._skip_unreadable = skip_unreadable

    def loaded(self, tasks: Iterator[Task], ahead: int) -> Iterator[Loaded]:
        """See `oodbench.evaluation.loading.Loader`.

        Raises:
            DataError: a worker died.
        """
        size = 0
        for task in tasks:
            loaded = self._first.load(task)
            yield loaded
            if loaded.pixels is not None:
                size = loaded.pixels.nbytes
                break
        if size:
            del loaded
            together = 1 if size >= _LARGE else TOGETHER
            room = LARGEST if self._reading.resized_later else 0
            yield from self._by_workers(tasks, ahead, together, max(size, room))

    def _by_workers(
        self, tasks: Iterator[Task], ahead: int, together: int, size: int
    ) -> Iterator[Loaded]:
        ahead = max(ahead, 2 * together * self._workers)
        # Beside what waits for the consumer, there is what it has taken and not let go of yet.
        count = max(2 * together, min(2 * ahead, _MEMORY // size))
        ahead = min(ahead, count // 2)
        slots = SharedSlots(size, count)
        start = Start(sys.path, self._reading, slots.file, slots.size)
        pool = _Pool(start, self._workers, slots)
        waiting: deque[tuple[int, list[Task]]] = deque()
        n_waiting = 0
        groups = _groups(tasks, together)
        try:
            while True:
                while n_waiting < ahead and (group := next(groups, None)):
                    waiting.append((pool.order(group), group))
                    n_waiting += len(group)
                if not waiting:
                    return
                number, group = waiting.popleft()
                n_waiting -= len(group)
                for task, answered in zip(group, pool.answer(number), strict=True):
                    yield self._loaded(task, answered)
        finally:
            pool.close()
            slots.close()

    def _loaded(self, task: Task, answered: "_Answered") -> Loaded:
        found, deep, decoded = answered
        if isinstance(found, str):
            return left_out(task, found, skip_unreadable=self._skip_unreadable)
        return Loaded(task.item, task.position, found, deep=deep, decoded=decoded)


def _groups(tasks: Iterator[Task], together: int) -> Iterator[list[Task]]:
    """Neighbours, of one split each."""
    for _, of_split in groupby(tasks, key=lambda task: task.split.name):
        while group := list(islice(of_split, together)):
            yield group


_Answered = tuple[ItemPixels | str, bool, Decoded | None]
"""Of an item: pixels or why there are none, whether it has more than 8 bits a channel, and what is
known of its file."""


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    n_orders: int = 0


class _Pool:
    """Worker processes; orders go to the one that has the fewest."""

    def __init__(self, start: Start, workers: int, slots: SharedSlots) -> None:
        self._slots = slots
        self._workers = [_started(start) for _ in range(workers)]
        self._of = {worker.connection: worker for worker in self._workers}
        self._n_orders = 0
        self._backlog: deque[tuple[int, list[Task]]] = deque()
        self._taken: dict[int, list[int | None]] = {}
        self._answers: dict[int, list[_Answered]] = {}
        self._said: set[str] = set()

    def order(self, group: list[Task]) -> int:
        """The number of the order."""
        self._n_orders += 1
        self._backlog.append((self._n_orders, group))
        self._send()
        return self._n_orders

    def answer(self, number: int) -> list["_Answered"]:
        """Wait for the answer to an order.

        Raises:
            DataError: a worker died.
        """
        while number not in self._answers:
            self._receive()
        return self._answers.pop(number)

    def close(self) -> None:
        """End the workers: they finish the item that they have begun."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            try:
                worker.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _send(self) -> None:
        while self._backlog:
            worker = min(self._workers, key=lambda worker: worker.n_orders)
            if worker.n_orders >= _ORDERS:
                return
            number, group = self._backlog.popleft()
            self._taken[number] = slots = [self._slots.take() for _ in group]
            items = [
                (task.position, task.item.image, slot)
                for task, slot in zip(group, slots, strict=True)
            ]
            order = Order(number, replace(group[0].split, list_items=list), items)
            try:
                worker.connection.send(order)
            except OSError:
                raise _died(worker) from None
            worker.n_orders += 1

    def _receive(self) -> None:
        for connection in wait(list(self._of)):
            worker = self._of[connection]  # type: ignore[index]
            try:
                answer: Answer = worker.connection.recv()
            except (EOFError, OSError):
                raise _died(worker) from None
            worker.n_orders -= 1
            self._keep(answer)
        self._send()

    def _keep(self, answer: Answer) -> None:
        for text in answer.warnings:
            if text not in self._said:
                self._said.add(text)
                log.warning("%s", text)
        if answer.failure is not None:
            raise answer.failure
        taken = self._taken.pop(answer.number)
        self._answers[answer.number] = [
            (self._pixels(found, slot), deep, decoded)
            for found, slot, deep, decoded in zip(
                answer.items, taken, answer.deep, answer.decoded, strict=True
            )
        ]

    def _pixels(self, found: Found, slot: int | None) -> ItemPixels | str:
        if slot is not None:
            if isinstance(found, Layout):
                return self._slots.unresized(slot, found)
            if isinstance(found, tuple):
                return self._slots.pixels(slot, found)
            self._slots.give_back(slot)
        return cast(ItemPixels | str, found)


def _started(start: Start) -> _Worker:
    """A worker that Ctrl-C does not reach: it ends when this process does."""
    here, there = Pipe()
    with there:
        code = f"from oodbench.evaluation.load_worker import main; main({there.fileno()})"
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=(there.fileno(), start.file),
            process_group=0,
        )
    worker = _Worker(process, here)
    try:
        here.send(start)
    except OSError:
        raise _died(worker) from None
    return worker


def _died(worker: _Worker) -> DataError:
    code = worker.process.wait(_PATIENCE)
    how = f"was killed by signal {-code}, perhaps for want of memory" if code < 0 else "died"
    return DataError(
        f"a process that loads pictures {how}: the same command goes on after the last whole "
        "chunk; fewer data.workers need less memory"
    )
