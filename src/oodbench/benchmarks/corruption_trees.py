"""Corrupted pictures at five severities, not normalised: ImageNet-C-bar and ImageNet-3DCC."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Readout, Split, SplitScores
from oodbench.benchmarks.folder import tree_below
from oodbench.benchmarks.trees import cell_scores, missing_cells, severity_splits
from oodbench.core.errors import ConfigError, DataError
from oodbench.data.listing import folder_names
from oodbench.data.pictures import load_picture
from oodbench.metrics import corruption
from oodbench.readouts import Standard


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
        found = severity_splits(self.root, self.corruptions, self.n_expected, self.corruptions)
        if not found:
            raise DataError(
                f"{self.root}: no corruption; looked for {self.corruptions[0]}/1 … here and one "
                f"folder down, found: {', '.join(folder_names(self.root)[:8]) or 'no folders'}"
            )
        return found

    def missing_splits(self) -> Sequence[str]:
        """Cells that are not on disk."""
        return missing_cells(self.root, self.corruptions)

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Error of every cell, mean error of every corruption and of all."""
        scores, errors = cell_scores(splits)
        return {**corruption.mean_errors(errors, self.corruptions), **scores}
