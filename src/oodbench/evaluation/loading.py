"""What the evaluation asks a loader for, and what it gets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oodbench.benchmarks.base import Item, Split
from oodbench.core.errors import DataError
from oodbench.core.resampling.unresized import Unresized
from oodbench.data.read_files import Decoded


@dataclass(frozen=True, slots=True)
class Task:
    """An item to load."""

    split: Split
    position: int
    item: Item


ItemPixels = NDArray[np.uint8] | Unresized
"""Of an item: uint8 `(frames, H, W, 3)`, or a picture that will be resized elsewhere."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Pixels of an item, or why there are none.

    `deep`: the file has more than 8 bits a channel; `decoded`: its time, and sha256 of its bytes.
    """

    item: Item
    position: int
    pixels: ItemPixels | None
    reason: str = ""
    deep: bool = False
    decoded: Decoded | None = None


class Loader(Protocol):
    """Loads ahead of the network."""

    def loaded(self, tasks: Iterator[Task], ahead: int) -> Iterator[Loaded]:
        """The items in the order of the tasks.

        Args:
            tasks: taken one by one, as room becomes free.
            ahead: about how many items may wait for the consumer, who does not keep their pixels.

        Raises:
            DataError: an item cannot be read, and the loader may not leave it out.
        """
        ...


def left_out(task: Task, reason: str, *, skip_unreadable: bool) -> Loaded:
    """An item that cannot be read.

    Raises:
        DataError: it may not be left out.
    """
    if not skip_unreadable:
        raise DataError(f"{reason}; replace it, or set data.on_error=skip")
    return Loaded(task.item, task.position, None, reason)


class LimitedLoader:
    """A loader that leaves out so many items and no more.

    Args:
        loader: leaves out whatever cannot be read.
        most: items that it may leave out.
        refused: how many it has left out, and why the last one -> the error for one too many.
    """

    def __init__(
        self, loader: Loader, *, most: int, refused: Callable[[int, str], DataError]
    ) -> None:
        self._loader = loader
        self._most = most
        self._refused = refused

    def loaded(self, tasks: Iterator[Task], ahead: int) -> Iterator[Loaded]:
        """See `Loader`.

        Raises:
            DataError: of `refused`.
        """
        n_left_out = 0
        for loaded in self._loader.loaded(tasks, ahead):
            n_left_out += loaded.pixels is None
            if n_left_out > self._most:
                raise self._refused(n_left_out, loaded.reason)
            yield loaded
