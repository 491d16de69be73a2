"""Stimuli in category folders and in one flat folder, and which of them were published."""

from collections.abc import Callable
from pathlib import Path

import pytest
from published_names import CATEGORIES

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.cue_conflict import CueConflict
from oodbench.core.errors import DataError

Make = Callable[..., Path]


def benchmark(root: Path) -> CueConflict:
    return CueConflict(root=str(root), inside=["style-transfer-preprocessed-512"])


def only_split(root: Path) -> Split:
    (split,) = benchmark(root).splits()
    return split


def touch(root: Path, *names: str, folders: bool = False) -> None:
    """Empty files: listing looks at names and sizes only."""
    for name in names:
        shape = name.split("-")[0].rstrip("0123456789")
        path = root / shape / name if folders else root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def official_names() -> list[str]:
    """Five of each of 16 x 16 pairs; bicycle6-bicycle3 is among the 80 without a conflict."""
    pairs = [(shape, texture) for shape in CATEGORIES for texture in CATEGORIES if shape != texture]
    conflicts = [
        f"{shape}{k}-{texture}{k % 3 + 1}.png" for shape, texture in pairs for k in range(5)
    ]
    same = [f"{name}{k}-{name}3.png" for name in CATEGORIES for k in range(4, 9)]
    assert (len(conflicts), len(same)) == (1200, 80)
    return conflicts + same


def is_same(name: str) -> bool:
    shape, texture = (part.rstrip("0123456789") for part in name.removesuffix(".png").split("-"))
    return shape == texture


def test_columns_and_labels(tmp_path: Path) -> None:
    touch(tmp_path / "cc", "cat7-elephant1.png", "truck10-airplane3.png")
    found = {item.image: item for item in only_split(tmp_path / "cc").list_items()}
    assert dict(found["cat7-elephant1.png"].columns) == {
        "shape": "cat",
        "texture": "elephant",
        "published_set": True,
    }
    assert found["cat7-elephant1.png"].label == CATEGORIES.index("cat") == 7
    assert found["truck10-airplane3.png"].label == 15


def test_category_folders_and_flat_are_the_same(tmp_path: Path) -> None:
    names = [
        "cat1-dog1.png",
        "cat10-dog1.png",
        "cat2-dog1.png",
        "bear1-car1.png",
        "oven1-oven2.png",
    ]
    touch(tmp_path / "flat", *names)
    touch(tmp_path / "folders", *names, folders=True)
    flat = only_split(tmp_path / "flat").list_items()
    folders = only_split(tmp_path / "folders").list_items()
    assert [item.image.split("/")[-1] for item in folders] == [item.image for item in flat]
    assert [item.columns for item in folders] == [item.columns for item in flat]
    assert [item.label for item in folders] == [item.label for item in flat]
    assert folders[0].image == "bear/bear1-car1.png"


def test_order_is_round_robin_over_the_shapes(tmp_path: Path) -> None:
    touch(tmp_path / "cc", "dog1-cat1.png", "cat2-dog1.png", "cat10-dog1.png", "bear1-cat1.png")
    assert [item.image for item in only_split(tmp_path / "cc").list_items()] == [
        "bear1-cat1.png",
        "cat10-dog1.png",
        "dog1-cat1.png",
        "cat2-dog1.png",
    ]


def test_folder_inside_the_root(tmp_path: Path, make_picture: Make) -> None:
    inner = tmp_path / "cc" / "style-transfer-preprocessed-512"
    make_picture(inner / "cat" / "cat1-dog1.png")
    split = only_split(tmp_path / "cc")
    (item,) = split.list_items()
    assert split.root == inner
    (picture,) = benchmark(tmp_path / "cc").load(split.root / item.image)
    assert (picture.mode, picture.size) == ("RGB", (8, 8))


def test_the_published_set_holds_one_stimulus_without_a_conflict(tmp_path: Path) -> None:
    touch(tmp_path / "cc", *official_names(), folders=True)
    split = only_split(tmp_path / "cc")
    assert (split.n_items, split.n_expected) == (1280, 1280)
    published = {
        item.image.split("/")[-1] for item in split.list_items() if item.columns["published_set"]
    }
    assert len(published) == 1201
    assert [name for name in published if is_same(name)] == ["bicycle6-bicycle3.png"]


def test_expected_number_of_each_official_set(tmp_path: Path) -> None:
    conflicts = [name for name in official_names() if not is_same(name)]
    touch(tmp_path / "conflicts", *conflicts)
    touch(tmp_path / "published", *conflicts, "bicycle6-bicycle3.png")
    sizes = [
        (split.n_items, split.n_expected)
        for split in map(only_split, (tmp_path / "conflicts", tmp_path / "published"))
    ]
    assert sizes == [(1200, 1200), (1201, 1201)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat1-dog1.png"], 1200),
        (["cat1-dog1.png", "bicycle6-bicycle3.png"], 1201),
        (["cat1-dog1.png", "bicycle6-bicycle2.png"], 1280),
        (["cat1-dog1.png", "bicycle6-bicycle3.png", "cat1-cat2.png"], 1280),
    ],
)
def test_expected_number_of_a_part(tmp_path: Path, names: list[str], expected: int) -> None:
    touch(tmp_path / "cc", *names)
    assert only_split(tmp_path / "cc").n_expected == expected


@pytest.mark.parametrize(
    "name",
    [
        "cat1.png",
        "cat1-lion2.png",
        "lion1-cat2.png",
        "cat-dog1.png",
        "cat1-dog1 (1).png",
        "x.PNG",
    ],
)
def test_bad_names(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "cc" / "cat", "cat1-dog1.png", name)
    with pytest.raises(DataError) as raised:
        benchmark(tmp_path / "cc").splits()
    assert str(raised.value).startswith(f"cat/{name}: not the name of a stimulus")
    assert str(raised.value).endswith("remove the file")


def test_files_that_are_left_alone(tmp_path: Path) -> None:
    touch(tmp_path / "cc", "cat1-dog1.png", "README.txt", "._cat1-dog1.png")
    (tmp_path / "cc" / "other").mkdir()
    touch(tmp_path / "cc" / "other", "x.png")
    assert [item.image for item in only_split(tmp_path / "cc").list_items()] == ["cat1-dog1.png"]


def test_no_stimuli(tmp_path: Path) -> None:
    (tmp_path / "cc" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match=r"cc: no stimuli; expected .*found: images"):
        benchmark(tmp_path / "cc").splits()


def test_missing_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: no such folder; set data\.root"):
        benchmark(tmp_path / "gone").splits()


def test_fingerprint_changes_with_size_and_name(tmp_path: Path) -> None:
    root = tmp_path / "cc"
    touch(root, "cat1-dog1.png", "cat2-dog1.png")
    fingerprints = [only_split(root).fingerprint]
    (root / "cat1-dog1.png").write_bytes(b"x")
    fingerprints.append(only_split(root).fingerprint)
    (root / "cat1-dog1.png").rename(root / "cat3-dog1.png")
    fingerprints.append(only_split(root).fingerprint)
    assert len(set(fingerprints)) == 3


def test_one_split_and_none_missing(tmp_path: Path) -> None:
    touch(tmp_path / "cc", "cat1-dog1.png")
    assert only_split(tmp_path / "cc").name == ""
    assert benchmark(tmp_path / "cc").missing_splits() == ()


def test_truncated_stimulus_names_the_file(tmp_path: Path, make_picture: Make) -> None:
    path = make_picture(tmp_path / "cat1-dog1.png", side=64)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cat1-dog1\.png: cannot be read as a picture"):
        benchmark(tmp_path).load(path)


def test_dead_links_and_other_files_are_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "cat1-dog2.png", folders=True)
    (folder,) = tmp_path.iterdir()
    (folder / "cat2-dog2.png").symlink_to("nowhere")
    (folder / "cat3-dog2.png").symlink_to("cat3-dog2.png")
    (folder / "x.gif").touch()
    for name in ("lost+found", "@eaDir", "__MACOSX"):
        (tmp_path / name).mkdir()
    assert only_split(tmp_path).n_items == 1
    assert caplog.messages == [
        f"{folder}: left out: 3 files, such as cat2-dog2.png, that are none of .png, or dead links"
    ]
