"""A few items of a benchmark, to know its pictures' size and how long they take to read."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from PIL import Image

from oodbench.benchmarks.base import Item, Split
from oodbench.core.loader import load_ahead
from oodbench.runs.plan import Data

SPLITS = 5
ITEMS = 16


@dataclass(frozen=True)
class Sample:
    """Some items of a benchmark.

    Attributes:
        items: of several splits, because they may differ in what reading them costs.
        frames: by split, pictures of its first item: 1, or the frames of a clip.
        picture: the first picture of all, RGB.
    """

    items: Sequence[tuple[Split, Item]]
    frames: dict[str, int]
    picture: Image.Image


def sample(data: Data) -> Sample:
    """Items of a few splits; where the first is a clip, one of every split is read.

    Raises:
        DataError: one of them cannot be read.
    """
    some = data.splits[:: -(-len(data.splits) // SPLITS)]
    each = -(-ITEMS // len(some))
    listed = {split.name: split.list_items()[:each] for split in some}
    items = [(split, item) for split in some for item in listed[split.name]]
    pictures = data.benchmark.load(items[0][0].root / items[0][1].image)
    frames = {split.name: 1 for split in data.splits}
    if len(pictures) > 1:
        for split in data.splits:
            first = listed.get(split.name) or split.list_items()
            frames[split.name] = len(data.benchmark.load(split.root / first[0].image))
    return Sample(items, frames, pictures[0])


def seconds_an_item(
    data: Data,
    found: Sample,
    transform: Callable[[Image.Image], object],
    *,
    workers: int,
    in_processes: bool,
    seconds: float,
) -> float:
    """Time to read and preprocess an item, as a run does, on all cores that it uses for this.

    Threads are timed together, since they wait for each other; processes do not, so that one thread
    stands for each of them.

    Args:
        data: of the sample.
        found: see `sample`.
        transform: what is done with a picture where it is decoded.
        workers: threads or processes.
        in_processes: which of both.
        seconds: how long to measure; each thread reads at least one item.
    """

    def read(task: tuple[Split, Item]) -> None:
        split, item = task
        for picture in data.benchmark.load(split.root / item.image):
            transform(picture)

    threads = 1 if in_processes else workers
    started = time.perf_counter()
    read_items = 0
    for _ in load_ahead(read, cycle(found.items), workers=threads, ahead=threads):
        read_items += 1
        if read_items >= threads and time.perf_counter() - started >= seconds:
            break
    # Those that were read meanwhile are not counted, those under way are waited for.
    return (time.perf_counter() - started) / read_items / (workers if in_processes else 1)
