"""Edges and filled silhouettes of objects of 16 categories (Geirhos et al. 2019)."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Item, Readout, Split, SplitScores
from oodbench.benchmarks.folder import tree_below
from oodbench.core.errors import ConfigError, DataError
from oodbench.data.listing import (
    PICTURE_SUFFIXES,
    Listing,
    folder_names,
    list_folders,
    round_robin,
)
from oodbench.data.pictures import load_picture
from oodbench.metrics.shape_categories import category_accuracy
from oodbench.readouts import ShapeCategories
from oodbench.reference import geirhos_categories, human_answers


class ShapeStimuli:
    """Stimuli in folders named by the 16 categories, scored by the category that is decided for.

    Args:
        root: folder of the category folders, or one of `inside` that holds them.
        n_expected: official number of stimuli.
        experiment: of the people who saw the same stimuli, a name in `reference/human_answers.csv`.
        inside: folders below root where archives put the category folders.

    Raises:
        ConfigError: no such experiment.
    """

    headline = "accuracy"
    has_classes = False

    def __init__(
        self, *, root: str, n_expected: int, experiment: str, inside: Sequence[str] = ()
    ) -> None:
        if experiment not in human_answers():
            raise ConfigError(
                f"benchmark.protocol.experiment={experiment}: available: "
                f"{', '.join(human_answers())}"
            )
        self.root = tree_below(Path(root), inside)
        self.n_expected = n_expected
        self.people = human_answers()[experiment]
        self.readout: Readout = ShapeCategories()

    def splits(self) -> Sequence[Split]:
        """The one split.

        Raises:
            DataError: root is missing or flat, or a folder is none of the 16 categories.
        """
        names = folder_names(self.root)
        if unknown := [name for name in names if name not in geirhos_categories()]:
            raise DataError(
                f"{self.root / unknown[0]}: none of the 16 categories "
                f"({', '.join(geirhos_categories())}); point benchmark.root at their folder"
            )
        listing = Listing.counted(
            *(self.root, names, "shape stimuli"),
            lambda: list_folders(self.root, PICTURE_SUFFIXES),
        )
        return [
            Split(
                name="",
                root=self.root,
                n_expected=self.n_expected,
                n_items=listing.summary.n_files,
                fingerprint=listing.summary.fingerprint,
                list_items=partial(_items, listing),
            )
        ]

    def missing_splits(self) -> Sequence[str]:
        """Always empty: the stimuli are one split, which is checked by its count."""
        return ()

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded stimulus, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Accuracy under both rules, over all and by category; beside it that of people."""
        scores: dict[str, SplitScores] = {}
        for _, records in splits:
            scores.update(category_accuracy(records, self.people))
        return scores


def _items(listing: Listing) -> list[Item]:
    """Round-robin over the categories; the label is the category's index among the 16."""
    index = {category: number for number, category in enumerate(geirhos_categories())}
    return [
        Item(f"{category}/{name}", index[category], {"category": category}, size)
        for category, name, size in round_robin(listing.folders())
    ]
