"""What lies in the folders of a split beside its pictures, and files that hold nothing."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from oodbench.benchmarks.inspection.finding import Problem
from oodbench.core.errors import visible
from oodbench.data.entries import OWN
from oodbench.data.listing import CLIP_SUFFIXES, PICTURE_SUFFIXES
from oodbench.reference import imagenet_wnids

_NAMED = 3


def folder_problems(root: Path, images: Iterable[str], mend: str) -> Iterator[Problem]:
    """Empty files, and files beside the pictures that are none.

    Args:
        root: of the split.
        images: of its items, paths below it. Those that are in no folder are passed over.
        mend: how to get files again.
    """
    known = set(images)
    empty, strangers = [], []
    for folder in sorted({image.rpartition("/")[0] for image in known}):
        place = root / folder
        if not place.is_dir():
            continue  # items that are not files themselves
        with os.scandir(place) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if name in known:
                    empty += [name] if entry.stat().st_size == 0 else []
                elif not _is_picture(entry.name) and not entry.is_dir():
                    strangers.append(name)
    if empty:
        yield Problem(
            str(root),
            f"{_counted(len(empty), 'file')} of no bytes: {_listed(empty)}",
            mend,
        )
    if strangers:
        yield Problem(
            str(root),
            f"{_counted(len(strangers), 'file')} that no benchmark reads: {_listed(strangers)}",
            "remove what does not belong to the data set",
        )


def count_problems(
    labels: Iterable[int], n_classes: int | None, per_class: int | None
) -> Iterator[str]:
    """Classes that are missing or have another number of pictures than all have.

    Args:
        labels: of the items.
        n_classes, per_class: as the data set has them; None where that is not known.
    """
    counts = Counter(labels)
    if n_classes is not None and len(counts) != n_classes:
        yield f"{len(counts)} classes instead of {n_classes}"
    odd = {label: count for label, count in counts.items() if count != per_class}
    if per_class is not None and odd:
        label, count = min(odd.items())
        yield (
            f"{_counted(len(odd), 'class')} without the {per_class} pictures that each has, such "
            f"as {imagenet_wnids()[label]} with {count}"
        )


def _is_picture(name: str) -> bool:
    """Or a clip, or what is expected to lie beside them."""
    known = os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES | CLIP_SUFFIXES  # noqa: PTH122
    return (known and not name.startswith("._")) or name in OWN or name.startswith(".")


def _counted(n: int, what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{n} {what if n == 1 else plural}"


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _NAMED else ""
    return ", ".join(visible(name) for name in sorted(names)[:_NAMED]) + more
