"""A device without room for the network: one line in place of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from oodbench.core.errors import ConfigError, one_line
from oodbench.models.device_memory import free_text, is_out_of_memory

_MOST = 300


@contextmanager
def memory_in_one_line(device: str) -> Iterator[None]:
    """Around all that takes memory of a device.

    Raises:
        ConfigError: memory ran out where no smaller batch would have helped, such as for the
            weights on a card that another process has filled; what is free and what was asked for.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ConfigError(
            f"engine.device={device}: out of memory: {free_text(torch.device(device))} "
            f"({one_line(error, _MOST)}): free memory that other processes hold, or use another "
            "engine.device"
        ) from error
