"""How the C library keeps memory that a network frees and wants again a millisecond later."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc hold on to freed memory, for the rest of the process; elsewhere nothing happens.

    By default it gives large blocks back to the kernel, which hands them out again page by page,
    zeroed: up to half of a forward pass on the CPU is spent there, the more the larger the batch.
    One arena for all threads keeps what is held small.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_ARENA_MAX, 1)):
        mallopt(option, value)
