"""A device without room: one line that says what is free, in place of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from oodbench.core.errors import MemoryShortage, one_line
from oodbench.models.device_memory import free_text, is_out_of_memory

_MOST = 250
"""Characters of the library's own message: what was asked for comes first there."""


def no_room(
    device: torch.device, error: BaseException, what: str = "out of memory"
) -> MemoryShortage:
    """What is free on a device, and what was asked for."""
    return MemoryShortage(
        f"engine.device={device}: {what}: {free_text(device)} ({one_line(error, _MOST)}): free "
        "memory that other processes hold, or use another engine.device"
    )


@contextmanager
def memory_in_one_line(device: str) -> Iterator[None]:
    """Around all that takes memory of a device.

    Raises:
        MemoryShortage: memory ran out where no smaller batch would have helped, such as for the
            weights on a card that another process has filled.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise no_room(torch.device(device), error) from error
