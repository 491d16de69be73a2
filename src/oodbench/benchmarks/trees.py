"""Benchmarks that are many trees of synset-id folders: ImageNet-C and ImageNet-P."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Item, Readout, Split, SplitScores
from oodbench.benchmarks.derived import normalised_flips, relative_mce
from oodbench.benchmarks.folder import Labelled, wnid_folders
from oodbench.benchmarks.second_run import FinishedRun, Normaliser, SecondRun
from oodbench.core.errors import DataError
from oodbench.data.entries import folder_exists
from oodbench.data.listing import (
    CLIP_SUFFIXES,
    PICTURE_SUFFIXES,
    Listing,
    folder_names,
    list_folders,
    round_robin,
)
from oodbench.data.perturbations.parameters import published_frames
from oodbench.data.pictures import load_clip, load_picture
from oodbench.metrics import corruption, perturbation
from oodbench.metrics.accuracy import error, top1
from oodbench.metrics.score import Score
from oodbench.readouts import Standard
from oodbench.reference import SEVERITIES, alexnet_corruption_errors, imagenet_wnids


def find_trees(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """Folders called `names`, directly below root or one level down (archive folders)."""
    places = [root, *(root / name for name in folder_names(root) if name not in names)]
    found = {}
    for name in names:
        for place in places:
            if folder_exists(place / name):
                found[name] = place / name
                break
    return found


def tree_split(
    name: str,
    tree: Path,
    root: Path,
    n_expected: int,
    suffixes: frozenset[str],
    *,
    official: bool,
) -> Split:
    """One tree of class folders as a split; items are named below `root`."""
    names = wnid_folders(tree, imagenet_wnids())
    listing = Listing.counted(tree, names, "tree", lambda: list_folders(tree, suffixes))
    return Split(
        name=name,
        root=root,
        n_expected=n_expected,
        n_items=listing.summary.n_files,
        fingerprint=listing.summary.fingerprint,
        list_items=partial(_tree_items, listing, root),
        official=official,
    )


def _tree_items(listing: Listing, root: Path) -> Sequence[Item]:
    prefix = listing.root.relative_to(root).as_posix() + "/"
    return Labelled(round_robin(listing.folders()), prefix)


def severity_splits(
    root: Path, names: Sequence[str], n_expected: int, official: Collection[str]
) -> list[Split]:
    """`<corruption>/<severity>` of every tree on disk.

    Args:
        root: where `find_trees` looks.
        names: of the corruptions, in order.
        n_expected: pictures of one corruption at one severity.
        official: corruptions that the benchmark is made of.
    """
    return [
        tree_split(
            f"{name}/{severity}",
            tree / str(severity),
            root,
            n_expected,
            PICTURE_SUFFIXES,
            official=name in official,
        )
        for name, tree in find_trees(root, names).items()
        for severity in SEVERITIES
        if folder_exists(tree / str(severity))
    ]


def missing_cells(root: Path, names: Sequence[str]) -> list[str]:
    """`<corruption>/<severity>` of these corruptions that are not on disk."""
    trees = find_trees(root, names)
    return [
        f"{name}/{severity}"
        for name in names
        for severity in SEVERITIES
        if name not in trees or not folder_exists(trees[name] / str(severity))
    ]


def cell_scores(
    splits: Iterable[tuple[str, pd.DataFrame]],
) -> tuple[dict[str, SplitScores], corruption.Errors]:
    """Error and accuracy of every cell, and which of its pictures are wrong."""
    scores: dict[str, SplitScores] = {}
    errors = {}
    for name, records in splits:
        scores[name] = {**error(records), **top1(records)}
        kind, severity = name.split("/")
        errors[kind, int(severity)] = corruption.errors_of(records)
    return scores, errors


class ImageNetC:
    """15 corruptions and the 4 held-out ones where present, five severities each.

    Hendrycks & Dietterich 2019. Accepts both trees: `<root>/<corruption>/…` and
    `<root>/<archive>/<corruption>/…`.

    Args:
        root: folder of the corruptions or of the archives' folders.
        n_expected: pictures of one corruption at one severity.
    """

    headline = "mce"
    clean_benchmark = "imagenet"
    second_run = SecondRun(("relative_mce",), benchmark=clean_benchmark, version=2)

    def __init__(self, *, root: str, n_expected: int) -> None:
        self.root = Path(root)
        self.n_expected = n_expected
        self.readout: Readout = Standard()

    def splits(self) -> Sequence[Split]:
        """`<corruption>/<severity>` of every tree on disk.

        Raises:
            DataError: no corruption at all below root.
        """
        names = list(alexnet_corruption_errors())
        found = severity_splits(self.root, names, self.n_expected, corruption.TEST_CORRUPTIONS)
        if not found:
            raise DataError(
                f"{self.root}: no ImageNet-C corruption; looked for gaussian_noise/1 … here and "
                f"one folder down, found: {', '.join(folder_names(self.root)[:8]) or 'no folders'}"
            )
        return found

    def missing_splits(self) -> Sequence[str]:
        """Cells of the 15 test corruptions that are not on disk."""
        return missing_cells(self.root, corruption.TEST_CORRUPTIONS)

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Error of every cell, mean error and CE of every corruption, mean error and mCE of all."""
        scores, errors = cell_scores(splits)
        return {**corruption.corruption_scores(errors), **scores}

    @classmethod
    def derived(
        cls, run: FinishedRun, others: Sequence[FinishedRun], given: Normaliser | None
    ) -> dict[str, Score]:
        """Relative mCE, against the model's clean run."""
        return {"relative_mce": relative_mce(run, others, cls.clean_benchmark)}


class ImageNetP:
    """Ten perturbation sequences and the validation ones where present: mp4 clips.

    Hendrycks & Dietterich 2019, difficulty 1.

    Args:
        root: folder of the perturbations or of the archives' folders.
        n_expected: clips of one perturbation.
        validation: names of the perturbations that are scored where present, never expected.
    """

    headline = "flip_probability"
    item = "clip"
    normalising_model = "alexnet"
    second_run = SecondRun(("mfr", "mt5d"), model=normalising_model, or_file=True, version=2)

    def __init__(self, *, root: str, n_expected: int, validation: Sequence[str] = ()) -> None:
        self.root = Path(root)
        self.n_expected = n_expected
        self.validation = tuple(validation)
        self.readout: Readout = Standard()

    def splits(self) -> Sequence[Split]:
        """Every perturbation on disk.

        Raises:
            DataError: no perturbation at all below root.
        """
        trees = find_trees(self.root, (*perturbation.TEST_PERTURBATIONS, *self.validation))
        if not trees:
            raise DataError(
                f"{self.root}: no ImageNet-P perturbation; looked for gaussian_noise, … here and "
                f"one folder down, found: {', '.join(folder_names(self.root)[:8]) or 'no folders'}"
            )
        return [
            tree_split(
                *(name, tree, self.root, self.n_expected, CLIP_SUFFIXES),
                official=name in perturbation.TEST_PERTURBATIONS,
            )
            for name, tree in trees.items()
        ]

    def missing_splits(self) -> Sequence[str]:
        """Test perturbations that are not on disk."""
        trees = find_trees(self.root, perturbation.TEST_PERTURBATIONS)
        return [name for name in perturbation.TEST_PERTURBATIONS if name not in trees]

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded frames, RGB: as many as the clips of a published perturbation have.

        Args:
            path: `…/<perturbation>/<wnid>/<file>`.
        """
        return load_clip(path, published_frames(path.parent.parent.name))

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Flip probability and top-5 distance of every perturbation, and means over the ten."""
        scores: dict[str, SplitScores] = {}
        clips = {}
        for name, records in splits:
            scores[name] = perturbation.perturbation(records)
            clips[name] = perturbation.clip_scores(records)
        return {"": perturbation.combine(clips), **scores}

    @classmethod
    def derived(
        cls, run: FinishedRun, others: Sequence[FinishedRun], given: Normaliser | None
    ) -> dict[str, Score]:
        """mFR and mT5D, in percent of AlexNet's scores."""
        return normalised_flips(run, others, given, cls.normalising_model)
