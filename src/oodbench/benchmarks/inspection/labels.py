"""Labels against the known list: where the name of a picture's file says which class it is of.

Copies keep the name, corrupted ones and clips too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from posixpath import basename

import numpy as np
from numpy.typing import NDArray

from oodbench.benchmarks.base import Item
from oodbench.reference import KnownNames, class_names, imagenet_wnids

_MOST = 0.95
"""Share of the pictures that a pattern has to explain."""

_FEW = 20
"""Pictures from which on a pattern can be told from chance."""


def wrong_labels(items: Iterable[Item], names: KnownNames) -> str:
    """What is wrong with the classes that folders give to pictures; "" where nothing is.

    Args:
        items: of a split; those of other names are passed over.
        names: says the class of each.

    Returns:
        One sentence: labels that are shifted by one picture, classes that are in another order, or
        pictures in the folder of another class.
    """
    numbers, labels, images = _named(items, names)
    if not len(numbers):
        return ""
    known = np.array(names.labels)
    inside = (numbers >= 1) & (numbers <= len(known))
    if not inside.all():
        image = images[int(np.argmin(inside))]
        return f"{image}: there is no picture of this number, only 1 to {len(known):,}"
    expected = known[numbers - 1]
    wrong = np.flatnonzero(labels != expected)
    if not len(wrong):
        return ""
    if len(numbers) >= _FEW:
        if by := _shift(numbers, labels, known):
            return (
                f"labels are shifted by one: pictures lie in the folder of the picture {by} them, "
                f"such as {images[wrong[0]]}"
            )
        if (labels == _as_text(expected)).mean() >= _MOST:
            return (
                "classes are in the order of numbers that were sorted as text (0, 1, 10, 100, …), "
                f"such as {_described(images, labels, expected, wrong[0])}"
            )
        if _is_permuted(labels, expected):
            return (
                "classes are in another order, each in the folder of another one, as when the "
                "numbers of the devkit (ILSVRC2012_ID) or of another list are taken for those of "
                f"sorted synset ids, such as {_described(images, labels, expected, wrong[0])}"
            )
    share = f"{len(wrong)} of {len(numbers)} pictures lie"
    return (
        f"{share} in the folder of another class, such as "
        f"{_described(images, labels, expected, wrong[0])}"
    )


def _named(
    items: Iterable[Item], names: KnownNames
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Numbers, labels and images of the items whose names say a class."""
    numbers, labels, images = [], [], []
    for item in items:
        if found := names.pattern.fullmatch(basename(item.image)):
            numbers.append(int(found[1]))
            labels.append(item.label)
            images.append(item.image)
    return np.array(numbers, np.int64), np.array(labels, np.int64), images


def _shift(numbers: NDArray[np.int64], labels: NDArray[np.int64], known: NDArray[np.int64]) -> str:
    """`after` or `before`, where the label of a neighbour explains nearly all; else empty."""
    for by, word in ((1, "after"), (-1, "before")):
        neighbours = known[(numbers - 1 + by) % len(known)]
        if (neighbours == labels).mean() >= _MOST:
            return word
    return ""


def _as_text(expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels that a loader gives which sorts folders named by class numbers as text."""
    order = sorted(range(len(imagenet_wnids())), key=str)
    return np.argsort(order)[expected]


def _is_permuted(labels: NDArray[np.int64], expected: NDArray[np.int64]) -> bool:
    """Whether each class lies in one folder, which holds no other one, and most in a wrong one."""
    pairs = Counter(zip(expected.tolist(), labels.tolist(), strict=True))
    folder_of: dict[int, int] = {}
    for (label, folder), _ in pairs.most_common():
        folder_of.setdefault(label, folder)
    if len(set(folder_of.values())) != len(folder_of):
        return False
    explained = sum(pairs[label, folder] for label, folder in folder_of.items())
    moved = sum(label != folder for label, folder in folder_of.items())
    return explained / len(labels) >= _MOST and moved > len(folder_of) / 2


def _described(
    images: Sequence[str],
    labels: NDArray[np.int64],
    expected: NDArray[np.int64],
    position: int,
) -> str:
    right, wrong = int(expected[position]), int(labels[position])
    return (
        f"{images[position]}, a {class_names()[right]} ({imagenet_wnids()[right]}) in the folder "
        f"of {class_names()[wrong]}"
    )
