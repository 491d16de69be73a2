"""Pictures of unknown classes among pictures of known ones: ImageNet-O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Item, Readout, Split, SplitScores
from oodbench.benchmarks.folder import FolderBenchmark
from oodbench.data.pictures import load_picture
from oodbench.metrics.accuracy import subset
from oodbench.metrics.detection import INSIDE, OUTSIDE, detection
from oodbench.readouts import NO_CLASS, Classes, SubsetWithLogit, subset_content


class OutOfDistribution:
    """Two trees of class folders: pictures of unknown classes, and of the classes they look like.

    A detector's score is to be high for the former, see `oodbench.metrics.detection`.

    Args:
        root: folder of the class folders with pictures of unknown classes, or one of `inside` that
            holds them. They are named by the classes that the pictures are taken for.
        known_root: folder of the class folders with pictures of known classes.
        n_expected: official number of pictures of unknown classes.
        n_known: official number of pictures of known classes.
        classes: the known classes, as in `FolderBenchmark`.
        inside: folders below root where archives put the class folders.

    Raises:
        ConfigError: an unknown list, or a file that is no class list.
    """

    headline = "aupr"
    has_classes = False
    counted_by_content: ClassVar[Mapping[str, Callable[[Classes], str | list[str]]]] = {
        "classes": subset_content
    }

    def __init__(
        self,
        *,
        root: str,
        known_root: str,
        n_expected: int,
        n_known: int,
        classes: Classes,
        inside: Sequence[str] = (),
    ) -> None:
        self.readout: Readout = SubsetWithLogit(classes=classes)
        self._official_share = n_expected / (n_expected + n_known)
        tree = partial(FolderBenchmark, scores=(), classes=classes)
        self._unknown = tree(root=root, n_expected=n_expected, inside=inside)
        self._known = tree(root=known_root, n_expected=n_known)

    def splits(self) -> Sequence[Split]:
        """`out_of_distribution` and `in_distribution`.

        Raises:
            DataError: either tree is missing, flat, empty, or has a folder that is not a synset.
        """
        (unknown,) = self._unknown.splits()
        (known,) = self._known.splits()
        return [
            replace(unknown, name=OUTSIDE, list_items=partial(_unlabelled, unknown)),
            replace(known, name=INSIDE),
        ]

    def missing_splits(self) -> Sequence[str]:
        """Always empty: without one of the trees there is nothing to score."""
        return ()

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Detection of the unknown classes; of the known ones also the accuracy."""
        records = dict(splits)
        scores = {"": detection(records, self._official_share)}
        if INSIDE in records:
            scores[INSIDE] = subset(records[INSIDE])
        return scores


def _unlabelled(split: Split) -> Sequence[Item]:
    """Pictures of unknown classes have no label."""
    return [replace(item, label=NO_CLASS) for item in split.list_items()]
