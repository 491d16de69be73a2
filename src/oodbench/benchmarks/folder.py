"""Benchmarks that are one tree of synset-id folders: ImageNet, ImageNet-A, Sketch, adversarial."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, overload

import pandas as pd
from hydra.utils import get_method
from PIL import Image

from oodbench.benchmarks.base import Item, LabelReadout, Readout, Split, SplitScores
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.ids import located_name
from oodbench.data.entries import files, folder_exists
from oodbench.data.listing import (
    PICTURE_SUFFIXES,
    Folder,
    ListedFile,
    Listing,
    even_positions,
    folder_names,
    list_folders,
    round_robin,
)
from oodbench.data.pictures import load_picture
from oodbench.readouts import Classes, Standard, subset_content, subset_wnids
from oodbench.reference import imagenet_wnids

log = logging.getLogger(__name__)


class FolderBenchmark:
    """Pictures in class folders named by synset id; labels come from the ids, never from positions.

    A score that looks something up by a picture's name says so with an attribute `check_name`, a
    function of the name that raises DataError: a tree with other names is refused beforehand.

    Args:
        root: folder that holds the class folders, or one of `inside` that does.
        n_expected: official number of pictures.
        scores: dotted names of functions records -> dict of Score.
        classes: name of a list (imagenet is all 1000), a text file with one synset id a line, or
            the ids; other ImageNet classes are left out, with a notice.
        positions: all, or even: every second picture of the folder order (published attack run).
        inside: folders below root where archives put the class folders.
        headline: metric that stands for the benchmark in the wide table.
        readout: columns to record; the standard ones unless named.

    Raises:
        ConfigError: an unknown list, a file that is no class list, or other positions.
    """

    counted_by_content: ClassVar[Mapping[str, Callable[[Classes], str | list[str]]]] = {
        "classes": subset_content
    }

    def __init__(
        self,
        *,
        root: str,
        n_expected: int,
        scores: Sequence[str],
        classes: Classes = "imagenet",
        positions: str = "all",
        inside: Sequence[str] = (),
        headline: str = "top1",
        readout: Readout | None = None,
    ) -> None:
        if positions not in ("all", "even"):
            raise ConfigError(f"benchmark.protocol.positions={positions}: available: all, even")
        self.root = Path(root)
        self.n_expected = n_expected
        self.classes = subset_wnids(classes, "benchmark.protocol.classes")
        self.positions = positions
        self.inside = inside
        self.headline = headline
        self.readout: Readout = readout or Standard()
        self.label_readout: LabelReadout | None = getattr(self.readout, "of_labels", None)
        self._scores = [get_method(located_name(name)) for name in scores]

    def splits(self) -> Sequence[Split]:
        """The one split of the benchmark.

        Raises:
            DataError: folder missing, flat, empty, or with a folder that is not a synset.
        """
        root = tree_below(self.root, self.inside)
        names = self.folder_names(root)
        self._check_names(root / names[0])
        variant = f"{len(self.classes)} classes, {self.positions} positions"
        listing = Listing.counted(root, names, variant, lambda: self._folders(root))
        return [
            Split(
                name="",
                root=root,
                n_expected=self.n_expected,
                n_items=listing.summary.n_files,
                fingerprint=listing.summary.fingerprint,
                list_items=lambda: Labelled(round_robin(listing.folders())),
            )
        ]

    def missing_splits(self) -> Sequence[str]:
        """Always empty: the tree is one split, which is checked by its count."""
        return ()

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Every named score of the records."""
        return {
            name: {key: value for score in self._scores for key, value in score(records).items()}
            for name, records in splits
        }

    def folder_names(self, root: Path) -> list[str]:
        """Class folders on disk that are read, see `wnid_folders`."""
        return wnid_folders(root, self.classes)

    def class_folders(self, root: Path) -> list[Folder]:
        """Their files, by synset id and in its order.

        Raises:
            DataError: a class folder is empty.
        """
        return list_folders(root, PICTURE_SUFFIXES, among=frozenset(self.classes))

    def _folders(self, root: Path) -> list[Folder]:
        folders = self.class_folders(root)
        return even_positions(folders) if self.positions == "even" else folders

    def _check_names(self, folder: Path) -> None:
        """Refuse names that a score cannot look up, before anything is computed.

        Raises:
            DataError: the first file of the folder has such a name.
        """
        for score in self._scores:
            check: Callable[[str], object] | None = getattr(score, "check_name", None)
            if check is not None and (found := files(folder, PICTURE_SUFFIXES)):
                check(f"{folder}/{found[0][0]}")


def tree_below(root: Path, inside: Sequence[str]) -> Path:
    """`root`, or the folder in it that an archive unpacks to."""
    for name in inside:
        if folder_exists(root / name):
            return root / name
    return root


def wnid_folders(root: Path, classes: Sequence[str]) -> list[str]:
    """Class folders of `root` that are among `classes`.

    Raises:
        DataError: root is missing or flat, or a folder is no synset of ImageNet-1k.
    """
    names = folder_names(root)
    if not names:
        list_folders(root, PICTURE_SUFFIXES)
    known = set(imagenet_wnids())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{root / unknown[0]}: not a synset id of ImageNet-1k ({len(unknown)} such folders); "
            "name class folders n01440764, …, and point benchmark.root at their folder"
        )
    kept = [name for name in names if name in set(classes)]
    if not kept:
        raise DataError(
            f"{root}: none of the benchmark's {len(classes)} classes; {len(names)} others"
        )
    if len(kept) < len(names):
        log.info(
            "%s: %d folders outside the benchmark's classes left out", root, len(names) - len(kept)
        )
    return kept


class Labelled(Sequence[Item]):
    """Items of the files of synset folders, labelled by the synset's class index.

    Each is made when it is asked for: ImageNet-C's 3.75 million would take a gigabyte.
    """

    def __init__(self, files: Sequence[ListedFile], prefix: str = "") -> None:
        self._files = files
        self._prefix = prefix
        self._label = {wnid: index for index, wnid in enumerate(imagenet_wnids())}

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, position: int) -> Item: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[Item]: ...

    def __getitem__(self, position: int | slice) -> Item | Sequence[Item]:
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        wnid, name, size = self._files[position]
        return Item(f"{self._prefix}{wnid}/{name}", self._label[wnid], size=size)
