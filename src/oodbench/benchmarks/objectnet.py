"""ObjectNet: objects seen from unusual sides, in folders of its own names (Barbu et al. 2019)."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image, ImageOps

from oodbench.benchmarks.base import Item, Readout, Split, SplitScores
from oodbench.benchmarks.folder import tree_below
from oodbench.core.errors import DataError
from oodbench.data.archives.receipt import FOLDER, read_receipt
from oodbench.data.listing import (
    PICTURE_SUFFIXES,
    Listing,
    folder_names,
    list_folders,
    round_robin,
)
from oodbench.data.pictures import load_picture
from oodbench.metrics.objectnet import by_folder
from oodbench.readouts import Subset
from oodbench.reference import class_lists, objectnet_classes

log = logging.getLogger(__name__)


class ObjectNet:
    """The folders of ObjectNet that show classes of ImageNet, 113 of its 313; others are left out.

    How many pictures they hold nobody has published for version 1.0. `oodbench-data prepare` counts
    them in the archive and leaves a note; without it the pictures that are there are taken for all.

    Args:
        root: folder of the class folders, or one of `inside` that holds them.
        border: pixels that are cut off each side of every picture: the files have a red line there.
        n_expected: number of pictures; null: as the note says.
        inside: folders below root where archives put the class folders.
    """

    headline = "top1"

    def __init__(
        self,
        *,
        root: str,
        border: int,
        n_expected: int | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        self.root = Path(root)
        self.border = border
        self.n_expected = n_expected
        self.inside = inside
        self.readout: Readout = Subset(classes=class_lists()["objectnet"])

    def splits(self) -> Sequence[Split]:
        """The one split.

        Raises:
            DataError: folder missing, flat or without a folder of these names.
        """
        root = tree_below(self.root, self.inside)
        names = _folders(root)
        listing = Listing.counted(
            root,
            names,
            f"{len(names)} folders of ObjectNet",
            lambda: list_folders(root, PICTURE_SUFFIXES, among=names),
        )
        n_files = listing.summary.n_files
        expected = self.n_expected or _counted(self.root)
        return [
            Split(
                name="",
                root=root,
                n_expected=n_files if expected is None else expected,
                n_items=n_files,
                fingerprint=listing.summary.fingerprint,
                list_items=lambda: _items(listing),
                is_count_known=expected is not None,
            )
        ]

    def missing_splits(self) -> Sequence[str]:
        """Always empty: the tree is one split, which is checked by its count where it is known."""
        return ()

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture without its border, RGB.

        Raises:
            DataError: the file cannot be read, or is no larger than its border.
        """
        (picture,) = load_picture(path)
        if min(picture.size) <= 2 * self.border:
            raise DataError(
                f"{path}: {picture.width}x{picture.height} pixels, all of them border "
                f"(benchmark.protocol.border={self.border}); get the file again"
            )
        return [ImageOps.crop(picture, self.border)]

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Accuracy among the 125 classes of the folders and among all 1000."""
        return {name: by_folder(records) for name, records in splits}


def _counted(root: Path) -> int | None:
    """How many pictures the archive holds, by what was prepared from it; None where unknown."""
    parts = read_receipt(root)
    return sum(part["files"] for name, part in parts.items() if name != FOLDER) or None


def _folders(root: Path) -> list[str]:
    found = folder_names(root)
    kept = [name for name in found if name in objectnet_classes()]
    if not kept:
        raise DataError(
            f"{root}: none of ObjectNet's {len(objectnet_classes())} folders with ImageNet classes "
            f"(alarm_clock, …); found: {', '.join(found[:8]) or 'no folders'}"
        )
    if missing := [name for name in objectnet_classes() if name not in kept]:
        log.warning(
            "%s: %d of ObjectNet's %d folders are not there, such as %s",
            *(root, len(missing), len(objectnet_classes()), missing[0]),
        )
    return kept


def _items(listing: Listing) -> list[Item]:
    """Round-robin over the folders; the label is the first of the folder's classes."""
    return [
        Item(f"{folder}/{name}", objectnet_classes()[folder][0], {"category": folder}, size)
        for folder, name, size in round_robin(listing.folders())
    ]
