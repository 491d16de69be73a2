"""ImageNet-O: two trees, no labels for unknown classes, counts of both."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from configs import composed

from oodbench.benchmarks.out_of_distribution import OutOfDistribution
from oodbench.core.errors import ConfigError, DataError
from oodbench.readouts import NO_CLASS
from oodbench.reference import class_lists
from oodbench.runs.plan import find_data

Make = Callable[..., Path]


@pytest.fixture
def trees(tmp_path: Path, make_picture: Make) -> Path:
    first, second = class_lists()["imagenet_o"][:2]
    make_picture(tmp_path / "imagenet-o" / "imagenet-o" / first / "a.JPEG")
    for name in ("b", "c"):
        make_picture(tmp_path / "imagenet" / "val" / second / f"{name}.JPEG")
    make_picture(tmp_path / "imagenet" / "val" / "n01440764" / "d.JPEG")  # outside the 200 classes
    return tmp_path


def benchmark(root: Path) -> OutOfDistribution:
    return OutOfDistribution(
        root=str(root / "imagenet-o"),
        known_root=str(root / "imagenet" / "val"),
        n_expected=2000,
        n_known=10000,
        classes="imagenet_o",
        inside=("imagenet-o",),
    )


def test_two_splits_with_their_counts(trees: Path) -> None:
    unknown, known = benchmark(trees).splits()
    assert (unknown.name, unknown.n_expected, unknown.n_items) == ("out_of_distribution", 2000, 1)
    assert (known.name, known.n_expected, known.n_items) == ("in_distribution", 10000, 2)
    assert unknown.root != known.root


def test_unknown_classes_have_no_label(trees: Path) -> None:
    unknown, known = benchmark(trees).splits()
    assert [item.label for item in unknown.list_items()] == [NO_CLASS]
    assert all(item.label > 0 for item in known.list_items())
    for split in (unknown, known):
        for item in split.list_items():
            assert benchmark(trees).load(split.root / item.image)


def test_without_the_known_pictures_there_is_nothing_to_score(trees: Path) -> None:
    shutil.rmtree(trees / "imagenet")
    with pytest.raises(DataError, match=r"val: no such folder"):
        benchmark(trees).splits()


def test_there_is_no_label_to_attack(trees: Path) -> None:
    run = composed("benchmark=imagenet_o", "attack=fgsm", f"data.root={trees}")
    with pytest.raises(ConfigError, match="its labels are no ImageNet classes"):
        find_data(run)


def test_each_tree_is_counted(trees: Path) -> None:
    run = composed("benchmark=imagenet_o", f"data.root={trees}")
    with pytest.raises(DataError, match=r"1 files of out_of_distribution, imagenet_o has 2000"):
        find_data(run)
