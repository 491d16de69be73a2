"""Loads in threads of this process."""

from collections.abc import Callable, Iterator

from oodbench.benchmarks.base import Item, Split
from oodbench.core.errors import DataError
from oodbench.core.loader import load_ahead
from oodbench.data.depth import deep_pictures
from oodbench.data.read_files import files_read
from oodbench.evaluation.loading import ItemPixels, Loaded, Task, left_out

ReadPixels = Callable[[Split, int, Item], ItemPixels]
"""Pixels of the item at a position of a split."""


class ThreadLoader:
    """The usual loader on a few cores: decoding and resizing let go of the interpreter lock.

    Args:
        read: called in a thread.
        workers: threads.
        skip_unreadable: leave out items that cannot be read.
    """

    def __init__(self, read: ReadPixels, *, workers: int, skip_unreadable: bool) -> None:
        self._read = read
        self._workers = workers
        self._skip_unreadable = skip_unreadable

    def loaded(self, tasks: Iterator[Task], ahead: int) -> Iterator[Loaded]:
        """See `oodbench.evaluation.loading.Loader`."""
        return load_ahead(self.load, tasks, workers=self._workers, ahead=ahead + self._workers)

    def load(self, task: Task) -> Loaded:
        """One item, in the thread that calls this."""
        try:
            with deep_pictures() as deep, files_read() as files:
                pixels = self._read(task.split, task.position, task.item)
        except DataError as error:
            return left_out(task, str(error), skip_unreadable=self._skip_unreadable)
        decoded = files[0].decoded if files else None
        return Loaded(task.item, task.position, pixels, deep=bool(deep), decoded=decoded)
