"""Several cards in one machine: each process takes one that the fewest others use."""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO

_held: list[IO[bytes]] = []
"""Open for as long as the process lives: the kernel frees the locks when it ends."""


@cache
def own_card() -> int:
    """Index of the card of this process, the same each time.

    Processes that go by this share the cards evenly, as long as they run on one machine and belong
    to one user. Where locks cannot be kept it is the first one.
    """
    import torch

    names = [
        str(getattr(torch.cuda.get_device_properties(index), "uuid", index))
        for index in range(torch.cuda.device_count())
    ]
    folder = Path(tempfile.gettempdir()) / f"oodbench-cards-{os.getuid()}"
    with suppress(OSError):
        return take_card(names, folder)
    return 0


def take_card(names: Sequence[str], folder: Path) -> int:
    """Take the first of the cards that the fewest processes have.

    Args:
        names: of the cards, the same in every process.
        folder: of the locks.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for place in count():
        for index, name in enumerate(names):
            lock = (folder / f"{name}-{place}.lock").open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            _held.append(lock)
            return index
    raise AssertionError
