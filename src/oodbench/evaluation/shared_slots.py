"""Memory that worker processes write pixels to and this process reads them from, uncopied.

It is a file without a name: it is gone when the last process that has it open has ended, however
that ended.
"""

import math
import mmap
import os
import tempfile
from collections import deque
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from oodbench.core.resampling.unresized import Layout, Unresized

ALIGNMENT = 64
"""Bytes that divide the size of a slot, so that whatever lies at its beginning is aligned."""

Shape = tuple[int, ...]


class SharedSlots:
    """Slots of one size, for the pixels of an item each.

    Args:
        size: bytes of a slot, at least.
        count: slots.
    """

    def __init__(self, size: int, count: int) -> None:
        self.size = size = -(-size // ALIGNMENT) * ALIGNMENT
        self.file = _nameless_file()
        os.ftruncate(self.file, size * count)
        self._memory = mmap.mmap(self.file, size * count)
        self._free = deque(range(count))

    def take(self) -> int | None:
        """A free slot, None where all are in use."""
        return self._free.popleft() if self._free else None

    def give_back(self, slot: int) -> None:
        """A slot that nobody reads from or writes to any more."""
        self._free.append(slot)

    def pixels(self, slot: int, shape: Shape) -> NDArray[np.uint8]:
        """What a worker has written, uint8; the slot is free again once the last view is gone."""
        return self._bytes(slot, math.prod(shape)).reshape(shape)

    def unresized(self, slot: int, layout: Layout) -> Unresized:
        """The same of a picture that will be resized elsewhere."""
        return Unresized.read(self._bytes(slot, layout.nbytes), layout)

    def _bytes(self, slot: int, count: int) -> NDArray[np.uint8]:
        found = slot_view(self._memory, self.size, slot, (count,))
        finalize(found, self._free.append, slot).atexit = False
        return found

    def close(self) -> None:
        """Let go of the file; the memory goes with the last view of it."""
        os.close(self.file)


def slot_view(memory: mmap.mmap, size: int, slot: int, shape: Shape) -> NDArray[np.uint8]:
    """The beginning of a slot as pixels of a shape, in either process."""
    return np.ndarray(shape, np.uint8, memory, slot * size)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("oodbench-pixels")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
