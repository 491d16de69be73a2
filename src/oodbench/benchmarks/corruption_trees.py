"""Corrupted pictures at five severities, not normalised: ImageNet-C-bar and ImageNet-3DCC."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Readout, Split, SplitScores
from oodbench.benchmarks.folder import tree_below
from oodbench.benchmarks.trees import find_trees, tree_split
from oodbench.core.errors import ConfigError, DataError
from oodbench.data.entries import folder_exists
from oodbench.data.listing import PICTURE_SUFFIXES, folder_names
from oodbench.data.pictures import load_picture
from oodbench.metrics import corruption
from oodbench.metrics.accuracy import error, top1
from oodbench.readouts import Standard
from oodbench.reference import SEVERITIES


class CorruptionTrees:
    """Named corruptions at five severities, scored by the mean error.

    Trees are `<corruption>/<severity>/<synset id>/…`, as of ImageNet-C.

    Args:
        root: folder of the corruptions or of the archives' folders, or one of `inside` that is.
        n_expected: pictures of one corruption at one severity.
        corruptions: names of the folders; all are expected.
        inside: folders below root where archives put the corruptions.

    Raises:
        ConfigError: no corruption is named.
    """

    headline = "mean_error"

    def __init__(
        self, *, root: str, n_expected: int, corruptions: Sequence[str], inside: Sequence[str] = ()
    ) -> None:
        if not corruptions:
            raise ConfigError("benchmark.protocol.corruptions: name at least one folder")
        self.root = tree_below(Path(root), inside)
        self.n_expected = n_expected
        self.corruptions = tuple(corruptions)
        self.readout: Readout = Standard()

    def splits(self) -> Sequence[Split]:
        """`<corruption>/<severity>` of every tree on disk.

        Raises:
            DataError: no corruption at all below root.
        """
        found = [
            tree_split(
                f"{name}/{severity}",
                tree / str(severity),
                self.root,
                self.n_expected,
                PICTURE_SUFFIXES,
                official=True,
            )
            for name, tree in find_trees(self.root, self.corruptions).items()
            for severity in SEVERITIES
            if folder_exists(tree / str(severity))
        ]
        if not found:
            raise DataError(
                f"{self.root}: no corruption; looked for {self.corruptions[0]}/1 … here and one "
                f"folder down, found: {', '.join(folder_names(self.root)[:8]) or 'no folders'}"
            )
        return found

    def missing_splits(self) -> Sequence[str]:
        """Cells that are not on disk."""
        trees = find_trees(self.root, self.corruptions)
        return [
            f"{name}/{severity}"
            for name in self.corruptions
            for severity in SEVERITIES
            if name not in trees or not folder_exists(trees[name] / str(severity))
        ]

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Error of every cell, mean error of every corruption and of all."""
        scores: dict[str, SplitScores] = {}
        errors = {}
        for name, records in splits:
            scores[name] = {**error(records), **top1(records)}
            kind, severity = name.split("/")
            errors[kind, int(severity)] = corruption.errors_of(records)
        return {**corruption.mean_errors(errors, self.corruptions), **scores}
