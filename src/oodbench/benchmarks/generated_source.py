"""Splits of a benchmark that is made, while loading, from one folder of clean pictures."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from oodbench.benchmarks.base import Item, Split
from oodbench.benchmarks.folder import Labelled, wnid_folders
from oodbench.data.listing import (
    PICTURE_SUFFIXES,
    Listing,
    list_folders,
    round_robin,
)
from oodbench.reference import imagenet_wnids


def generated_splits(
    source: Path,
    cells: Iterable[str],
    n_expected: int,
    parameters_sha256: str,
    official: Collection[str],
) -> list[Split]:
    """A split of all clean pictures for every cell; items are named `<cell>/<wnid>/<file>`.

    Args:
        source: folder of the class folders with clean pictures.
        cells: names of the splits.
        n_expected: official number of clean pictures.
        parameters_sha256: of everything, but the pictures, that the items depend on.
        official: what the cells begin with that the benchmark is made of.

    Raises:
        DataError: the clean pictures are missing, or not in synset folders.
    """
    wnids = wnid_folders(source, imagenet_wnids())
    listing = Listing.counted(source, wnids, "tree", lambda: list_folders(source, PICTURE_SUFFIXES))
    fingerprint = sha256(f"{listing.summary.fingerprint}\0{parameters_sha256}".encode()).hexdigest()
    return [
        Split(
            name=cell,
            root=source,
            n_expected=n_expected,
            n_items=listing.summary.n_files,
            fingerprint=fingerprint,
            list_items=partial(_items, listing, cell),
            official=cell.split("/")[0] in official,
            made_from="clean pictures",
        )
        for cell in cells
    ]


def _items(listing: Listing, cell: str) -> Sequence[Item]:
    return Labelled(round_robin(listing.folders()), f"{cell}/")
