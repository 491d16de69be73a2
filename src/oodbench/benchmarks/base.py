"""What a benchmark is: splits of items with labels, columns to record, and scores of the records.

Nothing here imports torch: a finished run is found and skipped from listings alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.resampling.unresized import Unresized
from oodbench.metrics.score import Score
from oodbench.preprocessing import Transform

HandOver = Callable[[Image.Image], Unresized | None]
"""What is handed over of an RGB picture that will be resized elsewhere; None where that would not
give the same pixels."""

SplitScores = dict[str, Score]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture (or clip) of a split.

    Attributes:
        image: path below the benchmark's root, with forward slashes.
        label: class index, written to the records as it is.
        columns: further values for the records, such as the shape category.
        size: bytes of the file as it was listed; None where the listing does not say.
    """

    image: str
    label: int
    columns: Mapping[str, str | int | bool] = field(default_factory=dict)
    size: int | None = None


@dataclass(frozen=True)
class Split:
    """Part of a benchmark that is scored by itself.

    Attributes:
        name: as in the records and the table, such as `fog/3`; "" where there is only one.
        root: folder that `Item.image` is relative to.
        n_expected: official number of items.
        n_items: number of items on disk.
        fingerprint: sha256 over the sorted relative paths and sizes; another one where pictures
            hold something else than in the runs before.
        list_items: the items in the one order of all runs.
        official: the benchmark is made of it; False for what is scored beside it where present.
        made_from: what splits have in common whose items, in the same order, are made from the same
            files; None: the files are the split's own.
        is_count_known: False where nobody says how many items there are: `n_expected` is then the
            number on disk, and results say so.
    """

    name: str
    root: Path
    n_expected: int
    n_items: int
    fingerprint: str
    list_items: Callable[[], Sequence[Item]]
    official: bool = True
    made_from: str | None = None
    is_count_known: bool = True


Readout = Callable[[NDArray[np.float32]], dict[str, NDArray[np.generic]]]
"""Logits `(N, 1000)` -> columns of the records, each `(N,)` or `(N, k)`."""

LabelReadout = Callable[[NDArray[np.float32], NDArray[np.int16]], dict[str, NDArray[np.generic]]]
"""Logits `(N, 1000)` and labels `(N,)` -> further columns of the records."""


class Benchmark(Protocol):
    """A benchmark, as seen by the evaluation and by the scoring.

    It may have an attribute `item`, what messages call one of its items: see `counted_items`; a
    method `finish` for its pixels: see `finished`; an attribute `has_classes`, False where labels
    are no ImageNet classes, so that no attack can pursue them; and an attribute `label_readout`,
    see there.
    """

    headline: str
    """Name of the metric that stands for the benchmark in the wide table."""

    def splits(self) -> Sequence[Split]:
        """Splits that are on disk, in the order in which they are run.

        Raises:
            DataError: what was looked for and what was found.
        """
        ...

    def missing_splits(self) -> Sequence[str]:
        """Names of the official splits that are not on disk."""
        ...

    def load(self, path: Path) -> list[Image.Image]:
        """RGB pictures of an item: one, or the frames of a clip.

        Raises:
            DataError: the file cannot be read, by name.
        """
        ...

    @property
    def readout(self) -> Readout:
        """Columns that are recorded from the logits."""
        ...

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Scores by split name; "" is the whole benchmark.

        Args:
            splits: (name, records) one after the other, so that one is in memory at a time.
        """
        ...


def label_readout(benchmark: Benchmark) -> LabelReadout | None:
    """The columns that are recorded from logits and labels; None where there are none.

    Args:
        benchmark: one whose labels are ImageNet classes, each of one picture, may have an attribute
            `label_readout`.
    """
    found: LabelReadout | None = getattr(benchmark, "label_readout", None)
    return found


def item_name(benchmark: Benchmark) -> str:
    """What messages call an item: a picture where the benchmark does not say."""
    return str(getattr(benchmark, "item", "picture"))


def counted_items(benchmark: Benchmark, n: int) -> str:
    """Such as `1 picture` or `20 clips`."""
    return f"{n} {item_name(benchmark)}{'' if n == 1 else 's'}"


def file_of(benchmark: Benchmark, path: Path) -> Path:
    """The file that an item is made from; there need not be one.

    Args:
        benchmark: one whose items are not the files themselves has a method `file_of`.
        path: as `Benchmark.load` takes it.
    """
    made_from: Callable[[Path], Path] | None = getattr(benchmark, "file_of", None)
    return path if made_from is None else made_from(path)


def finished(benchmark: Benchmark, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Preprocessed pixels `(height, width, 3)` as the benchmark shows them.

    Args:
        benchmark: one that lays something over what the model sees has a method `finish`.
        pixels: of one picture.
    """
    finish: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None
    finish = getattr(benchmark, "finish", None)
    return pixels if finish is None else finish(pixels)


def unresized_by(benchmark: Benchmark, transform: Transform) -> HandOver | None:
    """What is handed over of a picture that will be resized elsewhere.

    Args:
        benchmark: one that lays something over resized pictures can hand over none.
        transform: one that can has a method `unresized`.
    """
    found: HandOver | None = getattr(transform, "unresized", None)
    return None if hasattr(benchmark, "finish") else found
