"""A file with a slot for every picture of a data set: when it was changed, and what it holds."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOT = np.dtype([("known", "<u4"), ("modified", "<i8"), ("sha256", "u1", (32,)), ("check", "<u4")])
"""1 where there is something, time in nanoseconds, sha256 of the contents, and the XOR of all words
before it: a slot that is damaged or half written counts as empty."""

_WORDS = SLOT.itemsize // 4

SlotArray = NDArray[Any]
"""`(N,)` of `SLOT`."""


def slots_of(modified: Sequence[int], sha256: Sequence[bytes]) -> SlotArray:
    """Filled slots.

    Args:
        modified: nanoseconds.
        sha256: 32 bytes each.
    """
    slots = np.zeros(len(modified), SLOT)
    slots["known"] = 1
    slots["modified"] = modified
    slots["sha256"] = np.frombuffer(b"".join(sha256), np.uint8).reshape(-1, 32)
    slots["check"] = _check(slots)
    return slots


class Slots:
    """Slots on disk by position, at first all empty; several processes may write at once.

    Args:
        path: of the file, which is made with the first slots that are written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, start: int, stop: int) -> SlotArray:
        """The slots at positions from `start` up to `stop`; where nothing is known, they are 0."""
        slots = np.zeros(stop - start, SLOT)
        try:
            with self.path.open("rb") as file:
                content = os.pread(file.fileno(), slots.nbytes, start * SLOT.itemsize)
        except OSError:
            return slots
        found = np.frombuffer(content[: len(content) // SLOT.itemsize * SLOT.itemsize], SLOT)
        slots[: len(found)] = found
        slots[_check(slots) != slots["check"]] = 0
        return slots

    def write(self, positions: NDArray[np.int64], slots: SlotArray) -> None:
        """Fill slots.

        Args:
            positions: ascending.
            slots: of these positions.

        Raises:
            OSError: the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            for part in _neighbours(positions):
                offset = int(positions[part.start]) * SLOT.itemsize
                os.pwrite(file, slots[part].tobytes(), offset)
        finally:
            os.close(file)


def _check(slots: SlotArray) -> NDArray[np.uint32]:
    """What the last field of each slot has to be."""
    words = slots.view("<u4").reshape(-1, _WORDS)[:, :-1]
    found: NDArray[np.uint32] = np.bitwise_xor.reduce(words, axis=1)
    return found


def _neighbours(positions: NDArray[np.int64]) -> Iterator[slice]:
    """Parts of an ascending array whose values follow one another."""
    borders = [0, *(np.flatnonzero(np.diff(positions) != 1) + 1).tolist(), len(positions)]
    for start, stop in zip(borders, borders[1:], strict=False):
        if stop > start:
            yield slice(start, stop)
