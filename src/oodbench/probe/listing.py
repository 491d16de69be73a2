"""Pictures in class folders, checked and labelled. ImageNet has 1.28 million: lists are arrays."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.data.contents import FileSet
from oodbench.data.entries import folder_exists
from oodbench.data.listing import (
    PICTURE_SUFFIXES,
    Folder,
    Summary,
    cached_summary,
    folder_names,
    list_folders,
    summarise,
)
from oodbench.probe.schema import ProbeDataConfig
from oodbench.reference import imagenet_wnids
from oodbench.runs.verified import file_set, looked_at


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures, by folder and file name.

    Attributes:
        root: folder of the class folders.
        paths: bytes `(n,)`, relative to root. One array, because worker processes would each make
            a copy of a list of strings as they count references.
        labels: int64 `(n,)`, positions in the list of classes.
        files: see `ListedPictures`.
    """

    root: Path
    paths: NDArray[np.bytes_]
    labels: NDArray[np.int64]
    files: FileSet | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> Path:
        """Path of a picture."""
        return self.root / os.fsdecode(self.paths[index])


@dataclass(frozen=True)
class ListedPictures:
    """One of the two trees, checked but not yet listed.

    Attributes:
        files: what is known of the pictures; None with data.verify=sizes.
    """

    root: Path
    folders: Sequence[str]
    summary: Summary
    files: FileSet | None = None

    def pictures(self, classes: Sequence[str]) -> Pictures:
        """All pictures of the tree."""
        label = {name: index for index, name in enumerate(classes)}
        folders = _listed(self.root, self.folders)
        paths = [os.fsencode(name) for name in _names(folders)]
        counts = [len(folder.files) for folder in folders]
        labels = np.repeat([label[folder.name] for folder in folders], counts)
        return Pictures(
            self.root, np.array(paths, dtype=np.bytes_), labels.astype(np.int64), self.files
        )


def verified_pictures(
    output_root: Path, verify: str, trees: Mapping[str, ListedPictures]
) -> dict[str, ListedPictures]:
    """The trees, with another fingerprint where pictures have changed, which one line says.

    Args:
        output_root: of the trainings.
        verify: see `DataConfig.verify`.
        trees: by name.
    """
    if verify == "sizes":
        return dict(trees)
    sets = {
        name: file_set(
            output_root,
            f"probe {name}\0{tree.summary.fingerprint}",
            tree.root,
            tree.summary.n_files,
            partial(_names_below, tree.root, tree.folders),
        )
        for name, tree in trees.items()
    }
    found = {}
    for name, files in looked_at(sets, verify, "linear probe").items():
        tree = trees[name]
        summary = replace(tree.summary, fingerprint=files.fingerprint(tree.summary.fingerprint))
        found[name] = replace(tree, summary=summary, files=files)
    return found


def _listed(root: Path, names: Sequence[str]) -> list[Folder]:
    return list_folders(root, PICTURE_SUFFIXES, among=frozenset(names))


def _names(folders: Sequence[Folder]) -> list[str]:
    return [f"{folder.name}/{name}" for folder in folders for name, _ in folder.files]


def _names_below(root: Path, names: Sequence[str]) -> list[str]:
    return _names(_listed(root, names))


def find_pictures(data: ProbeDataConfig) -> tuple[list[str], ListedPictures, ListedPictures]:
    """The classes, the training tree and the validation tree.

    Raises:
        DataError: a folder is missing, flat, or of no class; classes or pictures are missing and
            `data.allow_partial` is false.
    """
    train = _folders(Path(data.train_root), "data.train_root")
    val = _folders(Path(data.val_root), "data.val_root")
    classes = imagenet_wnids() if data.classes == "imagenet_1k" else train
    for root, names in ((data.train_root, train), (data.val_root, val)):
        _check_known(root, names, classes, data)
    splits = (_split(Path(data.train_root), train), _split(Path(data.val_root), val))
    if data.classes == "imagenet_1k" and not data.allow_partial:
        for split, expected in zip(splits, (data.train_expected, data.val_expected), strict=True):
            _check_complete(split, classes, expected)
    return classes, *splits


def _folders(root: Path, key: str) -> list[str]:
    if not folder_exists(root):
        raise DataError(f"{root}: no such folder; set data.root=DIR or {key}=DIR")
    # Where there is none, list_folders says whether the tree is flat or empty.
    return folder_names(root) or [folder.name for folder in list_folders(root, PICTURE_SUFFIXES)]


def _check_known(
    root: str, names: Sequence[str], classes: Sequence[str], data: ProbeDataConfig
) -> None:
    unknown = [name for name in names if name not in set(classes)]
    if unknown and data.classes == "imagenet_1k":
        raise DataError(
            f"{Path(root) / unknown[0]}: not a synset id of ImageNet-1k ({len(unknown)} such "
            "folders); name class folders n01440764, …, or set data.classes=folders"
        )
    if unknown:
        raise DataError(
            f"{Path(root) / unknown[0]}: {data.train_root} has no folder of that name "
            f"({len(unknown)} such): with data.classes=folders the training folders are the classes"
        )


def _split(root: Path, names: Sequence[str]) -> ListedPictures:
    def compute() -> Summary:
        return summarise(_listed(root, names))

    return ListedPictures(root, names, cached_summary(root, names, "linear probe", compute))


def _check_complete(split: ListedPictures, classes: Sequence[str], expected: int) -> None:
    mend = "complete the data, or set data.allow_partial=true"
    missing = sorted(set(classes) - set(split.folders))
    if missing:
        raise DataError(
            f"{split.root}: {len(missing)} of {len(classes)} classes missing "
            f"({', '.join(missing[:4])}{', …' if len(missing) > 4 else ''}); {mend}"
        )
    if split.summary.n_files != expected:
        raise DataError(
            f"{split.root}: {split.summary.n_files} pictures, ImageNet has {expected}; {mend}"
        )
