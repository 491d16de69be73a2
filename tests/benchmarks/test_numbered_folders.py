"""Folders called 0 to 999: labels are the numbers, and the tree is that of synset ids."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.numbered_folders import NumberedFolders
from oodbench.core.errors import DataError
from oodbench.data.pictures import load_picture
from oodbench.reference import class_lists, imagenet_wnids

Make = Callable[..., Path]
INDICES = (0, 1, 2, 10, 107, 999)
"""Sorted as text 0, 1, 10, 107, 2, 999: positions would give four of six a wrong label."""


def benchmark(root: Path, classes: str = "imagenet") -> NumberedFolders:
    return NumberedFolders(root=str(root), n_expected=10000, scores=(), classes=classes)


def only_split(root: Path) -> Split:
    (split,) = benchmark(root).splits()
    return split


@pytest.fixture
def tree(tmp_path: Path, make_picture: Make) -> Path:
    for index in INDICES:
        for k in range(2 if index != 2 else 1):
            make_picture(tmp_path / "v2" / str(index) / f"{k}.jpeg", seed=10 * index + k)
    return tmp_path / "v2"


@pytest.fixture
def sorted_tree(tree: Path) -> Path:
    """The same pictures in folders of synset ids."""
    for index in INDICES:
        shutil.copytree(tree / str(index), tree.parent / "sorted" / imagenet_wnids()[index])
    return tree.parent / "sorted"


def test_labels_are_the_numbers_not_the_positions(tree: Path) -> None:
    split = only_split(tree)
    assert sorted({item.label for item in split.list_items()}) == list(INDICES)
    for item in split.list_items():
        file = benchmark(tree).file_of(split.root / item.image)
        assert int(file.parent.name) == item.label


def test_as_unpacked_and_sorted_it_is_one_data_set(tree: Path, sorted_tree: Path) -> None:
    unpacked, prepared = only_split(tree), only_split(sorted_tree)
    assert unpacked.fingerprint == prepared.fingerprint
    assert list(unpacked.list_items()) == list(prepared.list_items())
    for item in unpacked.list_items():
        pictures = [
            np.asarray(benchmark(root).load(root / item.image)[0]) for root in (tree, sorted_tree)
        ]
        assert np.array_equal(*pictures)


def test_a_number_may_be_written_with_zeros(tree: Path) -> None:
    (tree / "2").rename(tree / "0002")
    split = only_split(tree)
    (item,) = [item for item in split.list_items() if item.label == 2]
    (found,) = benchmark(tree).load(split.root / item.image)
    assert np.array_equal(found, load_picture(tree / "0002" / "0.jpeg")[0])


def test_classes_outside_a_subset_are_left_out(tree: Path) -> None:
    (split,) = benchmark(tree, "imagenet_a").splits()
    assert {item.label for item in split.list_items()} == {107}
    assert split.n_items == 2
    assert imagenet_wnids()[107] in class_lists()["imagenet_a"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("1000", r"v2/1000: not a class index from 0 to 999"),
        ("n01440764", r"v2/n01440764: not a class index from 0 to 999"),
        ("007", None),
        ("0107", r"(107 and 0107|0107 and 107) are the same class: remove one"),
    ],
)
def test_folders_that_are_no_class_index(
    tree: Path, make_picture: Make, folder: str, expected: str | None
) -> None:
    make_picture(tree / folder / "0.jpeg")
    if expected is None:
        assert only_split(tree).n_items == 12
        return
    with pytest.raises(DataError, match=expected):
        benchmark(tree).splits()


def test_no_class_of_the_subset(tree: Path) -> None:
    shutil.rmtree(tree / "107")
    with pytest.raises(DataError, match=r"v2: none of the benchmark's 200 classes; 5 others"):
        benchmark(tree, "imagenet_a").splits()
