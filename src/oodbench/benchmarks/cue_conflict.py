"""Cue-conflict stimuli (Geirhos et al. 2019): the shape of one category, the texture of another."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from oodbench.benchmarks.base import Item, Readout, Split, SplitScores
from oodbench.benchmarks.folder import tree_below
from oodbench.core.errors import DataError
from oodbench.data.entries import files
from oodbench.data.listing import folder_names
from oodbench.data.pictures import load_picture
from oodbench.metrics.shape_bias import shape_bias
from oodbench.readouts import ShapeCategories
from oodbench.reference import geirhos_categories

NAME = re.compile(r"([a-z]+)\d+-([a-z]+)\d+\.png", re.IGNORECASE)
LEFT_IN = "bicycle6-bicycle3.png"
"""The one stimulus without a conflict among the published 1,201, by mistake."""

N_CONFLICTS = 1200
N_PUBLISHED = 1201
N_ALL = 1280


class CueConflict:
    """Stimuli `<shape><i>-<texture><j>.png`, in category folders or in one flat folder.

    Args:
        root: folder of the stimuli; category folders are searched, and `inside` where present.
        inside: folders below root where archives put the stimuli.
    """

    headline = "shape_bias"

    def __init__(self, *, root: str, inside: Sequence[str] = ()) -> None:
        self.root = Path(root)
        self.inside = inside
        self.readout: Readout = ShapeCategories()

    def splits(self) -> Sequence[Split]:
        """All stimuli; expected are 1,280, the published 1,201 or the 1,200 conflicts.

        Raises:
            DataError: no stimuli, or a file whose name is not one of a stimulus.
        """
        root = tree_below(self.root, self.inside)
        files = _stimuli(root)
        items = _ordered(files)
        digest = hashlib.sha256("".join(f"{path}\0{size}\n" for path, size in files).encode())
        return [
            Split(
                name="",
                root=root,
                n_expected=_expected(items),
                n_items=len(items),
                fingerprint=digest.hexdigest(),
                list_items=lambda: items,
            )
        ]

    def missing_splits(self) -> Sequence[str]:
        """Always empty: the stimuli are one split, which is checked by its count."""
        return ()

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded stimulus, RGB."""
        return load_picture(path)

    def score(self, splits: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, SplitScores]:
        """Shape bias under both rules, over all and by shape category."""
        scores: dict[str, SplitScores] = {}
        for _, records in splits:
            scores.update(shape_bias(records))
        return scores


def _stimuli(root: Path) -> list[tuple[str, int]]:
    """(path below root, size) of every PNG in root and in its category folders, sorted by path."""
    folders = ["", *(name for name in folder_names(root) if name in geirhos_categories())]
    found = []
    for folder in folders:
        found += [
            (f"{folder}/{name}".lstrip("/"), size)
            for name, size in files(root / folder, frozenset({".png"}))
        ]
    if not found:
        raise DataError(
            f"{root}: no stimuli; expected <shape category>/<shape><i>-<texture><j>.png or a flat "
            f"folder of them, found: {', '.join(folder_names(root)[:8]) or 'no folders'}"
        )
    return sorted(found)


def _ordered(files: Sequence[tuple[str, int]]) -> list[Item]:
    """Items round-robin over the shape categories, by file name within one."""
    by_shape: dict[str, list[Item]] = {category: [] for category in geirhos_categories()}
    for path, size in sorted(files, key=lambda file: file[0].rsplit("/", 1)[-1]):
        item = _item(path, size)
        by_shape[str(item.columns["shape"])].append(item)
    longest = max(len(items) for items in by_shape.values())
    return [
        items[position]
        for position in range(longest)
        for items in by_shape.values()
        if position < len(items)
    ]


def _item(path: str, size: int) -> Item:
    name = path.rsplit("/", 1)[-1]
    match = NAME.fullmatch(name)
    categories = list(geirhos_categories())
    if not match or match[1] not in categories or match[2] not in categories:
        raise DataError(
            f"{path}: not the name of a stimulus, <shape><i>-<texture><j>.png with two of the 16 "
            "categories; remove the file"
        )
    shape, texture = match[1], match[2]
    columns = {
        "shape": shape,
        "texture": texture,
        "published_set": shape != texture or name == LEFT_IN,
    }
    return Item(path, categories.index(shape), columns, size)


def _expected(items: Sequence[Item]) -> int:
    """The official set that these stimuli come from: all, the published ones or the conflicts."""
    same = [item for item in items if item.columns["shape"] == item.columns["texture"]]
    if not same:
        return N_CONFLICTS
    only_left_in = all(item.columns["published_set"] for item in same)
    return N_PUBLISHED if only_left_in else N_ALL
