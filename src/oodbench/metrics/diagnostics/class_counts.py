"""How many pictures of each class there are, and how many of them are right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassCounts:
    """By class, those of which there are pictures, ascending.

    Attributes:
        label: index of the class, as in the records.
        n: its pictures.
        right: how many of them are right.
    """

    label: list[int]
    n: list[int]
    right: list[int]


def class_counts(parts: Iterable[tuple[NDArray[np.integer], NDArray[np.bool_]]]) -> ClassCounts:
    """The counts of pictures that come in several parts.

    Args:
        parts: label and whether the picture is right, `(n,)` each.
    """
    counts: dict[int, tuple[int, int]] = {}
    for label, correct in parts:
        classes, place = np.unique(label, return_inverse=True)
        n = np.bincount(place, minlength=len(classes))
        right = np.bincount(place, correct, len(classes)).astype(int)
        for one, more, more_right in zip(classes.tolist(), n.tolist(), right.tolist(), strict=True):
            before, right_before = counts.get(one, (0, 0))
            counts[one] = (before + more, right_before + more_right)
    ordered = sorted(counts)
    return ClassCounts(
        ordered, [counts[one][0] for one in ordered], [counts[one][1] for one in ordered]
    )
