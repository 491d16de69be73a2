"""Memory for batches that is used again: new memory costs as much as copying the pixels to it."""

import mmap
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

Memory = mmap.mmap | memoryview


class ReusedMemory:
    """Memory that is free again once nobody looks at it any more.

    Args:
        allocate: as many bytes as it is asked for, in an object that is no array; None: usual ones.
    """

    def __init__(self, allocate: Callable[[int], Memory] | None = None) -> None:
        self._allocate = allocate or partial(mmap.mmap, -1)
        self._size = 0  # of the largest batch: a smaller one takes the beginning of as much
        self._free: deque[Memory] = deque()

    def stacked(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """A copy, uint8 `(N, *shape)`, of N ≥ 1 pictures of one shape."""
        batch = self.bytes(len(pictures) * pictures[0].nbytes)
        return np.stack(pictures, out=batch.reshape(len(pictures), *pictures[0].shape))

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """Some, uint8 `(count,)`."""
        if count > self._size:
            # Where batches differ in size, the next one may be larger again.
            self._size = count + count // 4 if self._size else count
            self._free.clear()
        memory = self._free.pop() if self._free else self._allocate(self._size)
        # Its base is no array, so that every view of it keeps it, and not only the memory, alive.
        found: NDArray[np.uint8] = np.ndarray((count,), np.uint8, memory)
        finalize(found, self._return, memory).atexit = False
        return found

    def _return(self, memory: Memory) -> None:
        if len(memory) == self._size:
            self._free.append(memory)
