"""A process that loads items for another one, which starts it as a program.

It ends when its connection does: with the process at the other end, however that ended.
"""

import logging
import mmap
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from oodbench.benchmarks.base import Item, Split
from oodbench.core.building import build
from oodbench.core.errors import DataError
from oodbench.core.resampling.unresized import Layout, Unresized
from oodbench.data.depth import deep_pictures
from oodbench.data.read_files import Decoded, files_read
from oodbench.evaluation.loading import ItemPixels
from oodbench.evaluation.reader import Reader, Reading
from oodbench.evaluation.shared_slots import Shape, slot_view
from oodbench.runs.plan import choose_container

Found = Layout | Shape | ItemPixels | str
"""What a worker says of an item."""


@dataclass(frozen=True)
class Start:
    """What a worker is told first.

    Attributes:
        search_path: where it finds the user's modules.
        file: descriptor of the slots.
        slot_size: bytes of a slot.
    """

    search_path: list[str]
    reading: Reading
    file: int
    slot_size: int


@dataclass(frozen=True)
class Order:
    """Items of one split to be loaded.

    Attributes:
        number: of the order, for the answer.
        split: without its list of items.
        items: position, path and slot of each; without a slot the pixels come with the answer.
    """

    number: int
    split: Split
    items: list[tuple[int, str, int | None]]


@dataclass(frozen=True)
class Answer:
    """What became of an order.

    Attributes:
        items: of each the shape of the pixels in its slot, the layout of what lies there of a
            picture that is resized elsewhere, the pixels, or why there are none.
        deep: whether each has more than 8 bits a channel.
        decoded: of each the time of its file, and sha256 of its bytes.
        failure: what ended the order that no unreadable picture did.
        warnings: what was logged.
    """

    number: int
    items: list[Found]
    deep: list[bool]
    decoded: list[Decoded | None]
    failure: Exception | None
    warnings: list[str]


def main(descriptor: int) -> None:
    """Carry out orders until the other end of the connection is closed."""
    connection = Connection(descriptor)
    start: Start = connection.recv()
    sys.path[:] = start.search_path
    worker = _Worker(start)
    while True:
        try:
            order: Order = connection.recv()
            connection.send(worker.carry_out(order))
        except (EOFError, OSError):  # the process at the other end is gone, or needs no more
            return


class _Worker:
    def __init__(self, start: Start) -> None:
        self._memory = mmap.mmap(start.file, os.fstat(start.file).st_size)
        self._slot_size = start.slot_size
        self._reading = start.reading
        self._read: Reader | None = None
        self._warnings = _Warnings()
        logging.getLogger().addHandler(self._warnings)

    def carry_out(self, order: Order) -> Answer:
        found: list[Found] = []
        deep: list[bool] = []
        decoded: list[Decoded | None] = []
        failure = None
        try:
            for item in order.items:
                with deep_pictures() as modes, files_read() as files:
                    found.append(self._load(order.split, *item))
                deep.append(bool(modes))
                decoded.append(files[0].decoded if files else None)
        except Exception as error:  # whatever a user's own benchmark raises
            failure = _sendable(error)
        return Answer(order.number, found, deep, decoded, failure, self._warnings.taken())

    def _load(self, split: Split, position: int, image: str, slot: int | None) -> Found:
        self._read = self._read or self._reader()
        try:
            pixels = self._read(split, position, Item(image, 0))
        except DataError as error:
            return str(error)
        if slot is None or pixels.nbytes > self._slot_size:
            return pixels
        memory = slot_view(self._memory, self._slot_size, slot, (pixels.nbytes,))
        if isinstance(pixels, Unresized):
            pixels.write(memory)
            return pixels.layout
        memory.reshape(pixels.shape)[...] = pixels
        return pixels.shape

    def _reader(self) -> Reader:
        choose_container(self._reading.run)
        benchmark = build(self._reading.run.benchmark.protocol, "benchmark.protocol")
        reader = Reader(self._reading, benchmark)
        if (opencv := sys.modules.get("cv2")) is not None:
            opencv.setNumThreads(1)
        return reader


class _Warnings(logging.Handler):
    """Keeps what is logged, for the process that may say it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())

    def taken(self) -> list[str]:
        messages, self._messages = self._messages, []
        return messages


def _sendable(error: Exception) -> Exception:
    try:
        unpickled: Callable[[bytes], Any] = pickle.loads
        return error if isinstance(unpickled(pickle.dumps(error)), type(error)) else _told(error)
    except Exception:  # of whatever the error holds
        return _told(error)


def _told(error: Exception) -> Exception:
    return RuntimeError(f"{type(error).__name__}: {error}")
