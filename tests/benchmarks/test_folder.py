"""Class folders: order, labels, fingerprints, the remembered listing, and what can be wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodbench.benchmarks import folder as folder_module
from oodbench.benchmarks.base import Split
from oodbench.benchmarks.folder import FolderBenchmark
from oodbench.core.errors import ConfigError, DataError, DiskError
from oodbench.data.listing import Folder, even_positions, list_folders, round_robin, summarise
from oodbench.data.pictures import load_picture
from oodbench.reference import class_lists, imagenet_wnids

TOP1 = ["oodbench.metrics.accuracy.top1"]
# Classes 0, 1, 2 and 999: tench, goldfish, great white shark, toilet tissue.
TENCH, GOLDFISH, SHARK, TISSUE = "n01440764", "n01443537", "n01484850", "n15075141"

Make = Callable[..., Path]
Age = Callable[..., None]


def benchmark(
    root: Path, *, classes: str = "imagenet", positions: str = "all", inside: tuple[str, ...] = ()
) -> FolderBenchmark:
    return FolderBenchmark(
        root=str(root),
        n_expected=50000,
        scores=TOP1,
        classes=classes,
        positions=positions,
        inside=inside,
    )


def only_split(root: Path) -> Split:
    (split,) = benchmark(root).splits()
    return split


def images(split: Split) -> list[str]:
    return [item.image for item in split.list_items()]


@pytest.fixture
def tree(tmp_path: Path, make_picture: Make) -> Path:
    """Three pictures of the first, one of the second, two of the last class."""
    root = tmp_path / "val"
    for place in (f"{TENCH}/b", f"{TENCH}/a", f"{TENCH}/c", f"{GOLDFISH}/d"):
        make_picture(root / f"{place}.JPEG")
    for place in (f"{TISSUE}/f", f"{TISSUE}/e"):
        make_picture(root / f"{place}.JPEG")
    return root


def test_labels_come_from_the_synset_ids(tree: Path) -> None:
    labels = {item.image.split("/")[0]: item.label for item in only_split(tree).list_items()}
    assert labels == {TENCH: 0, GOLDFISH: 1, TISSUE: 999}


def test_order_is_round_robin_over_the_classes(tree: Path) -> None:
    assert images(only_split(tree)) == [
        f"{TENCH}/a.JPEG",
        f"{GOLDFISH}/d.JPEG",
        f"{TISSUE}/e.JPEG",
        f"{TENCH}/b.JPEG",
        f"{TISSUE}/f.JPEG",
        f"{TENCH}/c.JPEG",
    ]


def test_every_prefix_is_balanced(tree: Path, make_picture: Make) -> None:
    """A limit of 3 k pictures takes k of each of three classes that have as many."""
    for place in (f"{TISSUE}/g", f"{GOLDFISH}/g", f"{GOLDFISH}/h"):
        make_picture(tree / f"{place}.JPEG")
    labels = [item.label for item in only_split(tree).list_items()]
    assert labels[:3] == labels[3:6] == labels[6:9] == [0, 1, 999]


def test_the_split_says_what_is_there(tree: Path) -> None:
    split = only_split(tree)
    assert (split.name, split.root, split.n_expected, split.n_items) == ("", tree, 50000, 6)
    assert len(split.list_items()) == 6
    assert benchmark(tree).missing_splits() == ()


def test_even_positions_are_counted_in_folder_order(tree: Path) -> None:
    """Folder order a b c | d | e f; positions 0 2 4: a, c, e; then round-robin: a, e, c."""
    (split,) = benchmark(tree, positions="even").splits()
    assert images(split) == [f"{TENCH}/a.JPEG", f"{TISSUE}/e.JPEG", f"{TENCH}/c.JPEG"]
    assert split.n_items == 3
    assert split.fingerprint != only_split(tree).fingerprint


def test_even_positions_against_a_slice_of_the_whole_list() -> None:
    counts = np.random.default_rng(3).integers(1, 6, 30)
    folders = [
        Folder(f"n{k:02d}", tuple((f"{j}.png", 1) for j in range(n))) for k, n in enumerate(counts)
    ]
    flat = [(folder.name, name) for folder in folders for name, _ in folder.files]
    kept = [(folder.name, name) for folder in even_positions(folders) for name, _ in folder.files]
    assert kept == flat[::2]


def test_round_robin_of_nothing() -> None:
    assert list(round_robin([])) == []


def test_round_robin_of_classes_of_several_sizes() -> None:
    """Folders a1 a2 a3 | b1 | c1 c2, by position, from behind, and in slices."""
    counts = {"a": 3, "b": 1, "c": 2}
    files = round_robin(
        [Folder(k, tuple((f"{k}{j + 1}", 9) for j in range(n))) for k, n in counts.items()]
    )
    names = ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert list(files) == [(name[0], name, 9) for name in names]
    assert [files[position].name for position in (5, -1, -6)] == ["a3", "a3", "a1"]
    assert [file.name for file in files[1:9:2]] == ["b1", "a2", "a3"]
    with pytest.raises(IndexError):
        files[6]


def test_bytewise_order_of_names(tmp_path: Path, make_picture: Make) -> None:
    for name in ("a10", "B", "a9", "_", "b"):
        make_picture(tmp_path / "val" / TENCH / f"{name}.JPEG")
    names = [image.split("/")[1][:-5] for image in images(only_split(tmp_path / "val"))]
    assert names == ["B", "_", "a10", "a9", "b"]


def test_suffixes_of_any_case_and_nothing_else(tmp_path: Path, make_picture: Make) -> None:
    folder = tmp_path / "val" / TENCH
    for name in ("a.JPEG", "b.jpg", "c.PNG", "d.Jpeg"):
        make_picture(folder / name)
    for name in ("._a.JPEG", ".DS_Store", "notes.txt", "a.JPEG.part", "Thumbs.db"):
        (folder / name).touch()
    (folder / "folder.png").mkdir()
    (tmp_path / "val" / "README.txt").touch()
    (tmp_path / "val" / ".hidden").mkdir()
    split = only_split(tmp_path / "val")
    assert [image.split("/")[1] for image in images(split)] == [
        "a.JPEG",
        "b.jpg",
        "c.PNG",
        "d.Jpeg",
    ]


def test_classes_outside_the_subset_are_left_out(
    tmp_path: Path, make_picture: Make, caplog: pytest.LogCaptureFixture
) -> None:
    inside = class_lists()["imagenet_a"][7]
    assert TENCH not in class_lists()["imagenet_a"]
    make_picture(tmp_path / "in-a" / TENCH / "a.JPEG")
    make_picture(tmp_path / "in-a" / inside / "b.JPEG")
    with caplog.at_level("INFO"):
        (split,) = benchmark(tmp_path / "in-a", classes="imagenet_a").splits()
    (item,) = split.list_items()
    assert (item.image, item.label) == (f"{inside}/b.JPEG", imagenet_wnids().index(inside))
    assert split.n_items == 1
    assert "1 folders outside" in caplog.text


def test_a_subset_of_a_file(tmp_path: Path, make_picture: Make) -> None:
    file = tmp_path / "two.txt"
    file.write_text(f"{TISSUE}\n{GOLDFISH}\n")
    for wnid in (TENCH, GOLDFISH, TISSUE):
        make_picture(tmp_path / "val" / wnid / "a.JPEG")
    (split,) = benchmark(tmp_path / "val", classes=str(file)).splits()
    assert [item.label for item in split.list_items()] == [1, 999]
    file.write_text(f"{TENCH}\n{GOLDFISH}\n")  # as many: the remembered listing is another's
    (split,) = benchmark(tmp_path / "val", classes=str(file)).splits()
    assert [item.label for item in split.list_items()] == [0, 1]


def test_no_class_of_the_subset(tmp_path: Path, make_picture: Make) -> None:
    make_picture(tmp_path / "in-a" / TENCH / "a.JPEG")
    with pytest.raises(DataError, match=r"in-a: none of the benchmark's 200 classes"):
        benchmark(tmp_path / "in-a", classes="imagenet_a").splits()


def test_folder_inside_the_root(tree: Path, make_picture: Make) -> None:
    make_picture(tree.parent / "imagenet-sketch" / "sketch" / SHARK / "sketch_0.JPEG")
    (split,) = benchmark(tree.parent / "imagenet-sketch", inside=("sketch", "val")).splits()
    (item,) = split.list_items()
    assert (item.image, item.label) == (f"{SHARK}/sketch_0.JPEG", 2)
    assert (split.root / item.image).is_file()
    (straight,) = benchmark(split.root, inside=("sketch", "val")).splits()
    assert straight.fingerprint == split.fingerprint


# What can be wrong


def message(root: Path) -> str:
    with pytest.raises(DataError) as raised:
        benchmark(root).splits()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_missing_root(tree: Path) -> None:
    text = message(tree.parent / "valid" / "deep")
    assert text.startswith(f"{tree.parent / 'valid' / 'deep'}: no such folder")
    assert "data.root=" in text
    assert "OODBENCH_DATA_ROOT" in text
    assert f"{tree.parent} holds: " in text
    assert "val" in text.rsplit("holds: ", 1)[1]


def test_root_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "val.rar").touch()
    text = message(tmp_path / "val.rar")
    assert text.startswith(f"{tmp_path / 'val.rar'}: is a file")
    assert "unpack" in text


def test_flat_folder(tmp_path: Path, make_picture: Make) -> None:
    for k in range(3):
        make_picture(tmp_path / "val" / f"ILSVRC2012_val_{k:08d}.JPEG")
    text = message(tmp_path / "val")
    assert text.startswith(f"{tmp_path / 'val'}: flat, 3 files")
    assert "sort them into <synset id>/" in text


def test_empty_root(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    text = message(tmp_path / "val")
    assert text.startswith(f"{tmp_path / 'val'}: empty")
    assert TENCH in text


def test_empty_class_folder(tree: Path) -> None:
    (tree / SHARK).mkdir()
    text = message(tree)
    assert text.startswith(f"{tree / SHARK}: class folder without pictures (1 such)")
    assert "unpack the archive again" in text
    assert "data.allow_partial=true" in text


def test_unknown_synset(tree: Path) -> None:
    (tree / "n99999999").mkdir()
    (tree / "tench").mkdir()
    text = message(tree)
    assert text.startswith(f"{tree / 'n99999999'}: not a synset id of ImageNet-1k (2 such")
    assert "benchmark.root" in text


def test_root_one_level_too_high(tree: Path) -> None:
    (tree.parent / "cache").mkdir(exist_ok=True)
    text = message(tree.parent)
    assert "not a synset id" in text
    assert "point benchmark.root at" in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("classes", "imagenet_b", "neither a file nor a class list; available: imagenet, "),
        ("positions", "odd", "available: all, even"),
    ],
)
def test_unknown_settings(tmp_path: Path, key: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"benchmark\.protocol\.{key}={value}: {said}"):
        benchmark(tmp_path, **{key: value})  # type: ignore[arg-type]


# Fingerprint and remembered listing


def fingerprint(root: Path) -> str:
    return only_split(root).fingerprint


def test_fingerprint_is_the_same_elsewhere(tree: Path) -> None:
    before = fingerprint(tree)
    assert len(before) == 64
    tree.rename(tree.parent / "elsewhere")
    assert fingerprint(tree.parent / "elsewhere") == before


def test_fingerprint_changes_with_a_size(tree: Path) -> None:
    before = fingerprint(tree)
    with (tree / TENCH / "a.JPEG").open("ab") as file:
        file.write(b"\0")
    assert fingerprint(tree) != before


def test_fingerprint_changes_with_a_name(tree: Path) -> None:
    before = fingerprint(tree)
    (tree / TENCH / "a.JPEG").rename(tree / TENCH / "a.jpg")
    renamed = fingerprint(tree)
    assert renamed != before
    (tree / TENCH / "a.jpg").rename(tree / TENCH / "a.JPEG")
    assert fingerprint(tree) == before


def test_fingerprint_changes_with_the_class(tree: Path) -> None:
    before = fingerprint(tree)
    (tree / GOLDFISH).rename(tree / SHARK)
    assert fingerprint(tree) != before


def test_fingerprint_ignores_files_that_are_no_pictures(tree: Path) -> None:
    before = fingerprint(tree)
    (tree / TENCH / "notes.txt").write_text("x")
    assert fingerprint(tree) == before


def test_name_and_size_cannot_be_mistaken_for_each_other() -> None:
    first = summarise([Folder("n", (("a1", 2),))])
    second = summarise([Folder("n", (("a", 12),))])
    assert first.fingerprint != second.fingerprint


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Roots that were listed file by file, in order."""
    seen: list[Path] = []

    def counted(root: Path, suffixes: frozenset[str], among: frozenset[str]) -> list[Folder]:
        seen.append(root)
        return list_folders(root, suffixes, among)

    monkeypatch.setattr(folder_module, "list_folders", counted)
    return seen


def test_unchanged_folders_are_not_listed_again(tree: Path, age: Age, listings: list[Path]) -> None:
    age(tree)
    first, second = only_split(tree), only_split(tree)
    assert listings == [tree]
    assert (first.n_items, first.fingerprint) == (second.n_items, second.fingerprint)


def test_a_folder_changed_just_now_is_not_remembered(tree: Path, listings: list[Path]) -> None:
    only_split(tree)
    only_split(tree)
    assert listings == [tree, tree]


def test_a_new_picture_is_seen(tree: Path, age: Age, make_picture: Make) -> None:
    age(tree)
    before = only_split(tree)
    make_picture(tree / TENCH / "z.JPEG")
    after = only_split(tree)
    assert (before.n_items, after.n_items) == (6, 7)
    assert after.fingerprint != before.fingerprint


def test_a_removed_class_is_seen(tree: Path, age: Age) -> None:
    age(tree)
    assert only_split(tree).n_items == 6
    (tree / GOLDFISH / "d.JPEG").unlink()
    (tree / GOLDFISH).rmdir()
    assert only_split(tree).n_items == 5


def test_positions_are_remembered_apart(tree: Path, age: Age) -> None:
    age(tree)
    counts = [
        benchmark(tree, positions=positions).splits()[0].n_items
        for positions in ("all", "even", "all", "even")
    ]
    assert counts == [6, 3, 6, 3]


@pytest.mark.parametrize(
    ("old", "new"), [('"n_files": 6', '"n_files": 7'), ('"n_files"', '"files"'), ("{", "[")]
)
def test_a_damaged_cache_is_made_again(
    tree: Path, age: Age, cache_folder: Path, listings: list[Path], old: str, new: str
) -> None:
    age(tree)
    only_split(tree)
    (cached,) = (cache_folder / "listings").iterdir()
    text = cached.read_text()
    assert old in text
    cached.write_text(text.replace(old, new))
    assert only_split(tree).n_items == 6
    only_split(tree)
    assert listings == [tree, tree]


def test_a_folder_in_the_place_of_a_cache_is_no_error(
    tree: Path, age: Age, cache_folder: Path
) -> None:
    age(tree)
    only_split(tree)
    (cached,) = (cache_folder / "listings").iterdir()
    cached.unlink()
    cached.mkdir()
    assert only_split(tree).n_items == 6


def test_a_cache_that_cannot_be_written_is_no_error(
    tree: Path, age: Age, cache_folder: Path
) -> None:
    age(tree)
    cache_folder.touch()
    assert only_split(tree).n_items == 6


# Pictures


def test_load_converts_to_rgb(tmp_path: Path) -> None:
    for mode in ("L", "CMYK", "RGBA", "P", "1", "LA"):
        suffix = "jpg" if mode in ("L", "CMYK") else "png"
        path = tmp_path / f"{mode}.{suffix}"
        Image.new(mode, (6, 4)).save(path)
        (picture,) = benchmark(tmp_path).load(path)
        assert (picture.mode, picture.size) == ("RGB", (6, 4))


def test_truncated_jpeg_names_the_file(tmp_path: Path, make_picture: Make) -> None:
    path = make_picture(tmp_path / "a.JPEG", side=64)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"a\.JPEG: cannot be read as a picture: .*truncated"):
        benchmark(tmp_path).load(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_no_picture_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.JPEG"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.JPEG: cannot be read as a picture") as raised:
        load_picture(path)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # it warns of cuts
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "ppm", "tif"])
def test_a_picture_cut_anywhere_loads_or_names_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    failures = []
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            load_picture(path)
        except DataError as error:
            failures.append(str(error))
    assert failures
    assert all(failure.startswith(f"{path}: ") for failure in failures)


def test_missing_picture_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"gone\.JPEG: no longer there: "):
        load_picture(tmp_path / "gone.JPEG")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_names_that_are_not_utf8(tmp_path: Path, make_picture: Make) -> None:
    source = make_picture(tmp_path / "a.JPEG")
    folder = tmp_path / "val" / TENCH
    folder.mkdir(parents=True)
    source.rename(folder / os.fsdecode(b"\xe9.JPEG"))
    assert only_split(tmp_path / "val").n_items == 1


def test_an_empty_folder_of_a_class_that_is_left_out_does_not_matter(
    tmp_path: Path, make_picture: Make
) -> None:
    used = class_lists()["imagenet_a"][0]
    make_picture(tmp_path / used / "a.jpg")
    (tmp_path / TENCH).mkdir()
    assert TENCH not in class_lists()["imagenet_a"]
    (split,) = benchmark(tmp_path, classes="imagenet_a").splits()
    assert [item.image for item in split.list_items()] == [f"{used}/a.jpg"]
