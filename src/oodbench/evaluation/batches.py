"""Items of a run in batches that never cross the border of a chunk."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice

import numpy as np
from numpy.typing import NDArray

from oodbench.benchmarks.base import Item
from oodbench.core.errors import DataError, printable
from oodbench.core.progress import Progress
from oodbench.core.resampling.packed import packed, resized_already
from oodbench.core.resampling.unresized import Unresized
from oodbench.data.read_files import Decoded
from oodbench.engines.cuda import pinned_memory
from oodbench.engines.resizing import Pixels
from oodbench.evaluation.loading import ItemPixels, Loaded, Loader, Task
from oodbench.evaluation.reused_memory import ReusedMemory
from oodbench.runs.chunks import Chunk
from oodbench.runs.records import Skipped


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture on its way through the network.

    Attributes:
        position, index: of its item in the split, and of the picture in the item.
        last: whether it is the last one of its item.
    """

    item: Item
    position: int
    index: int
    last: bool = True

    @property
    def name(self) -> str:
        """What the picture's randomness depends on: its path, and in a clip the frame."""
        return self.item.image + (f"#{self.index}" if self.index else "")


@dataclass(frozen=True)
class Batch:
    """Frames that go through the network together; a batch never crosses the border of a chunk.

    Attributes:
        pixels: of the frames, uint8 `(N, H, W, 3)`, or what has to be resized to that.
        frames: none in the last batch of a chunk of which nothing was left to do.
        skipped: items that could not be read since the batch before.
        last: whether the chunk ends here.
        deep: positions of items of more than 8 bits a channel since the batch before.
        decoded: by position, what is known of the files of the items since the batch before.
    """

    chunk: Chunk
    pixels: Pixels
    frames: list[Frame]
    skipped: list[Skipped]
    last: bool
    deep: list[int] = field(default_factory=list)
    decoded: dict[int, Decoded] = field(default_factory=dict)


def load_batches(
    chunks: Iterable[Chunk],
    loader: Loader,
    progress: Progress,
    *,
    batch_size: int,
    pinned: bool = False,
) -> Iterator[Batch]:
    """The chunks' frames in order.

    Args:
        chunks: with at least one item each; taken one by one, as their items are loaded.
        progress: counts the items.
        batch_size: frames; the last batch of a chunk may be smaller.
        pinned: put the pixels where a CUDA device reads them without a detour.

    Raises:
        DataError: an item cannot be read and may not be left out, its file was replaced, or the
            frames of a batch have several sizes.
    """
    taken: deque[Chunk] = deque()

    def taking() -> Iterator[Chunk]:
        for chunk in chunks:
            taken.append(chunk)
            yield chunk

    stream = loader.loaded(_tasks(taking()), 2 * batch_size)
    memory = ReusedMemory(pinned_memory) if pinned else ReusedMemory()
    for first in stream:
        chunk = taken.popleft()
        of_chunk = chain([first], islice(stream, chunk.stop - chunk.start - 1))
        del first  # its pixels lie in memory that the loader wants back
        yield from _batches(chunk, of_chunk, batch_size, progress, memory)


def _tasks(chunks: Iterable[Chunk]) -> Iterator[Task]:
    """Items of the chunks in order; a split's files are listed once, not once per chunk."""
    for _, of_split in groupby(chunks, key=lambda chunk: chunk.split.name):
        items: Sequence[Item] | None = None
        for chunk in of_split:
            items = items or chunk.split.list_items()
            for position in range(chunk.start, chunk.stop):
                yield Task(chunk.split, position, items[position])


def _batches(
    chunk: Chunk, stream: Iterator[Loaded], size: int, progress: Progress, memory: ReusedMemory
) -> Iterator[Batch]:
    parts: list[_Part] = []
    frames: list[Frame] = []
    skipped: list[Skipped] = []
    deep: list[int] = []
    decoded: dict[int, Decoded] = {}
    for loaded in stream:
        progress.advance(1)
        if loaded.pixels is None:
            skipped.append(Skipped(*map(printable, (loaded.item.image, loaded.reason))))
            continue
        if loaded.deep:
            deep.append(loaded.position)
        if loaded.decoded is not None:
            _refuse_replaced(chunk, loaded.item, loaded.decoded)
            decoded[loaded.position] = loaded.decoded
        pictures = _pictures(loaded.pixels)
        for index, pixels in enumerate(pictures):
            if len(frames) == size:
                pixels_of_batch = _stacked(parts, frames, memory)
                yield Batch(
                    *(chunk, pixels_of_batch, frames, skipped),
                    last=False,
                    deep=deep,
                    decoded=decoded,
                )
                parts, frames, skipped, deep, decoded = [], [], [], [], {}
            parts.append(pixels)
            last = index == len(pictures) - 1
            frames.append(Frame(loaded.item, loaded.position, index, last=last))
    yield Batch(
        *(chunk, _stacked(parts, frames, memory), frames, skipped),
        last=True,
        deep=deep,
        decoded=decoded,
    )


def _refuse_replaced(chunk: Chunk, item: Item, decoded: Decoded) -> None:
    """The run's key says how large each file was when the run began.

    Raises:
        DataError: this one has another size.
    """
    if item.size is not None and item.size != decoded.size:
        raise DataError(
            f"{printable(str(chunk.split.root / item.image))}: {decoded.size} bytes, and "
            f"{item.size} when the run began: another file has taken its place; give the same "
            "command again"
        )


_Part = NDArray[np.uint8] | Unresized


def _pictures(pixels: ItemPixels) -> Sequence[_Part]:
    """The frames of an item."""
    return [pixels] if isinstance(pixels, Unresized) else list(pixels)


def _stacked(parts: list[_Part], frames: list[Frame], memory: ReusedMemory) -> Pixels:
    """A copy, which lets the loader use the memory of the parts again."""
    if not parts:
        return np.empty((0, 0, 0, 3), np.uint8)
    sizes = {pixels.shape[-3:] for pixels in parts}
    if len(sizes) > 1:
        raise DataError(
            f"{frames[0].item.image}: pictures of one batch have {len(sizes)} sizes; choose one "
            "that crops or resizes, such as preprocessing=resize256_crop224"
        )
    finished = [part for part in parts if not isinstance(part, Unresized)]
    if len(finished) == len(parts):
        return memory.stacked(finished)
    unresized = [part if isinstance(part, Unresized) else resized_already(part) for part in parts]
    return packed(unresized, memory.bytes)
