"""Memory for batches that is used again: new memory costs as much as copying the pixels to it."""

import mmap
from collections import defaultdict, deque
from collections.abc import Sequence
from weakref import finalize

import numpy as np
from numpy.typing import NDArray


class ReusedMemory:
    """Stacks pictures in memory that is free again once nobody looks at them any more."""

    def __init__(self) -> None:
        self._free: defaultdict[int, deque[mmap.mmap]] = defaultdict(deque)

    def stacked(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """uint8 `(N, *shape)` of N ≥ 1 pictures of one shape."""
        shape = (len(pictures), *pictures[0].shape)
        size = len(pictures) * pictures[0].nbytes
        free = self._free[size]
        memory = free.pop() if free else mmap.mmap(-1, size)
        # Its base is no array, so that every view of it keeps it, and not only the memory, alive.
        batch: NDArray[np.uint8] = np.ndarray(shape, np.uint8, memory)
        finalize(batch, free.append, memory).atexit = False
        return np.stack(pictures, out=batch)
