"""Items of a run, loaded ahead in threads, in batches that never cross the border of a chunk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from oodbench.benchmarks.base import Item, Split
from oodbench.core.errors import DataError
from oodbench.core.loader import load_ahead
from oodbench.core.progress import Progress
from oodbench.runs.chunks import Chunk
from oodbench.runs.records import Skipped

ReadPixels = Callable[[Split, int, Item], NDArray[np.uint8]]
"""Pixels uint8 `(frames, H, W, 3)` of the item at a position of a split."""


@dataclass(frozen=True)
class Loaded:
    """Pixels of an item, uint8 `(frames, H, W, 3)`, or why there are none."""

    item: Item
    position: int
    pixels: NDArray[np.uint8] | None
    reason: str = ""


@dataclass(frozen=True)
class Frame:
    """One picture on its way through the network."""

    loaded: Loaded
    index: int
    pixels: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """What the picture's randomness depends on: its path, and in a clip the frame."""
        return self.loaded.item.image + (f"#{self.index}" if self.index else "")


@dataclass(frozen=True)
class Batch:
    """Frames that go through the network together; a batch never crosses the border of a chunk.

    Attributes:
        frames: none in the last batch of a chunk of which nothing was left to do.
        skipped: items that could not be read since the batch before.
        last: whether the chunk ends here.
    """

    chunk: Chunk
    frames: list[Frame]
    skipped: list[Skipped]
    last: bool

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 `(N, H, W, 3)`."""
        return np.stack([frame.pixels for frame in self.frames])


def load_batches(
    chunks: Sequence[Chunk],
    read: ReadPixels,
    progress: Progress,
    *,
    batch_size: int,
    workers: int,
    skip_unreadable: bool,
) -> Iterator[Batch]:
    """The chunks' frames in order.

    Args:
        read: called in a thread.
        progress: counts the items.
        batch_size: frames; the last batch of a chunk may be smaller.
        workers: threads.
        skip_unreadable: leave out items that cannot be read.

    Raises:
        DataError: an item cannot be read and `skip_unreadable` is off.
    """

    def load(task: tuple[Split, int, Item]) -> Loaded:
        split, position, item = task
        try:
            return Loaded(item, position, read(split, position, item))
        except DataError as error:
            if not skip_unreadable:
                raise DataError(f"{error}; replace it, or set data.on_error=skip") from error
            return Loaded(item, position, None, str(error))

    ahead = 2 * batch_size + workers
    stream = load_ahead(load, _tasks(chunks), workers=workers, ahead=ahead)
    for chunk in chunks:
        of_chunk = islice(stream, chunk.stop - chunk.start)
        yield from _batches(chunk, of_chunk, batch_size, progress)


def _tasks(chunks: Sequence[Chunk]) -> Iterator[tuple[Split, int, Item]]:
    """Items of the chunks in order; a split's files are listed once, not once per chunk."""
    for _, of_split in groupby(chunks, key=lambda chunk: chunk.split.name):
        items: Sequence[Item] | None = None
        for chunk in of_split:
            items = items or chunk.split.list_items()
            for position in range(chunk.start, chunk.stop):
                yield chunk.split, position, items[position]


def _batches(
    chunk: Chunk, stream: Iterator[Loaded], size: int, progress: Progress
) -> Iterator[Batch]:
    frames: list[Frame] = []
    skipped: list[Skipped] = []
    for loaded in stream:
        progress.advance(1)
        if loaded.pixels is None:
            skipped.append(Skipped(loaded.item.image, loaded.reason))
            continue
        for index, pixels in enumerate(loaded.pixels):
            if len(frames) == size:
                yield Batch(chunk, frames, skipped, last=False)
                frames, skipped = [], []
            frames.append(Frame(loaded, index, pixels))
    yield Batch(chunk, frames, skipped, last=True)
