"""Labels against the known list, without files."""

from collections.abc import Callable

import numpy as np
import pytest
from validation_trees import known

from oodbench.benchmarks.base import Item
from oodbench.benchmarks.inspection.labels import wrong_labels
from oodbench.reference import imagenet_wnids, known_names, validation_labels


def items(label_of: Callable[[int], int], n: int = 2000) -> list[Item]:
    """The first validation pictures, with the labels of a tree."""
    wnids = imagenet_wnids()
    return [
        Item(f"{wnids[label_of(k)]}/ILSVRC2012_val_{k + 1:08d}.JPEG", label_of(k)) for k in range(n)
    ]


def said_of(found: list[Item]) -> str:
    return wrong_labels(found, known_names()["imagenet_val"])


def test_the_right_labels_are_right() -> None:
    assert said_of(items(known, 50_000)) == ""


@pytest.mark.parametrize(("by", "word"), [(1, "after"), (-1, "before")])
def test_labels_shifted_by_one(by: int, word: str) -> None:
    said = said_of(items(lambda k: validation_labels()[k + by]))
    shifted = "labels are shifted by one: pictures lie in the folder of the picture"
    assert said.startswith(f"{shifted} {word} them, such as ")


def test_classes_in_another_order() -> None:
    order = np.random.default_rng(0).permutation(1000).tolist()
    said = said_of(items(lambda k: order[known(k)]))
    assert said.startswith("classes are in another order, each in the folder of another one")
    assert "ILSVRC2012_ID" in said


def test_class_numbers_that_were_sorted_as_text() -> None:
    """0, 1, 10, 100, …: what a loader makes of folders named by numbers."""
    order = sorted(range(1000), key=str)
    said = said_of(items(lambda k: order.index(known(k))))
    assert said.startswith("classes are in the order of numbers that were sorted as text (0, 1, 10")


def test_some_pictures_in_a_wrong_folder() -> None:
    said = said_of(items(lambda k: 7 if k in (3, 50) else known(k)))
    assert said.startswith("2 of 2000 pictures lie in the folder of another class, such as ")
    assert "/ILSVRC2012_val_00000004.JPEG, a " in said
    assert said.endswith("in the folder of cock")


def test_labels_at_random() -> None:
    generator = np.random.default_rng(0)
    said = said_of(items(lambda _: int(generator.integers(1000))))
    assert "pictures lie in the folder of another class" in said


def test_numbers_that_no_picture_has() -> None:
    said = said_of([Item("n01440764/ILSVRC2012_val_00050001.JPEG", 0)])
    assert said.endswith("there is no picture of this number, only 1 to 50,000")


def test_other_names_say_nothing() -> None:
    assert said_of([Item("n01440764/tench.JPEG", 5)]) == ""
