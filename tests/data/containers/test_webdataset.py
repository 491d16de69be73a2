"""Samples of tar shards: which file is the picture, what its label and its name are."""

import json
from pathlib import Path

import pytest
from container_files import tar_of

from oodbench.core.errors import DataError
from oodbench.data.containers.base import Choices
from oodbench.data.containers.opened import choose
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import folder_names, list_folders


def listed(container: Path) -> list[str]:
    folders = list_folders(container, PICTURE_SUFFIXES)
    return [f"{folder.name}/{name}" for folder in folders for name, _ in folder.files]


def facts(**values: object) -> bytes:
    return json.dumps(values).encode()


def test_labels_beside_pictures(tmp_path: Path) -> None:
    members = [("s0.jpg", b"a"), ("s0.cls", b"1\n"), ("s1.webp", b"b"), ("s1.cls", b"999")]
    container = tar_of(tmp_path / "in" / "0.tar", [*members, ("classnames.txt", b"tench\n")])
    assert listed(container) == ["n01443537/s0.jpg", "n15075141/s1.webp"]
    assert listed(container.parent) == listed(container)


def test_fields_of_the_json(tmp_path: Path) -> None:
    one = facts(filename="n01443537/n01443537_7.JPEG", label=1, width=500)
    two = facts(wnid="n01440764", file="x", other="y.JPEG")
    container = tar_of(
        tmp_path / "0.tar", [("a.jpg", b"a"), ("a.json", one), ("b.jpg", b"b"), ("b.json", two)]
    )
    assert listed(container) == ["n01440764/b.jpg", "n01443537/n01443537_7.JPEG"]
    choose(container, Choices(path="other", classes="imagenet"))
    assert "n01440764/y.JPEG" in listed(container)


def test_numbers_of_a_subset_need_its_list(tmp_path: Path) -> None:
    members = [("s0.jpg", b"a"), ("s0.cls", b"0"), ("s1.jpg", b"b"), ("s1.cls", b"199")]
    container = tar_of(tmp_path / "0.tar", members)
    with pytest.raises(DataError, match="labels 0 to 199 may be positions in a list of fewer"):
        folder_names(container)
    choose(container, Choices(classes="imagenet_r"))
    assert listed(container)[0].startswith("n01443537/")  # the first of the 200 of ImageNet-R


def test_several_pictures_are_chosen_among(tmp_path: Path) -> None:
    members = [("a.jpg", b"a"), ("a.seg.png", b"c"), ("a.png", b"b"), ("a.cls", b"999")]
    container = tar_of(tmp_path / "0.tar", members)
    with pytest.raises(DataError, match=r"0\.tar: a: pictures \.jpg, \.png: choose an ending"):
        folder_names(container)
    choose(container, Choices(image="png"))
    assert listed(container) == ["n15075141/a.png"]


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ([("a.jpg", b"a"), ("a.json", b"{")], r"a\.json: not JSON"),
        ([("a.jpg", b"a"), ("a.cls", b"\xff\xff")], r"a: a\.cls is not text"),
        ([("a.jpg", b"a"), ("a.cls", bytes(2 << 20))], "2097152 bytes of text"),
        ([("a.jpg", b"a"), ("a.cls", b"1"), ("b.cls", b"2")], r"b: no picture beside its \.cls"),
        ([("a.jpg", b"a"), ("a.json", b"{}")], r"a: a\.jpg has no label and is in no folder"),
        ([("a.jpg", b"a"), ("a.cls", b"1000")], r"a: label 1000: expected 0 to 999|count from 1"),
    ],
)
def test_samples_that_do_not_say_what_they_are(
    members: list[tuple[str, bytes]], what: str, tmp_path: Path
) -> None:
    container = tar_of(tmp_path / "0.tar", members)
    with pytest.raises(DataError, match=what):
        folder_names(container)


def test_two_samples_of_one_name_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        members = [("a.jpg", b"a"), ("a.cls", b"999")]
        tar_of(tmp_path / "in" / f"{number}.tar", members)
    with pytest.raises(DataError, match=r"n15075141/a\.jpg is in it twice"):
        folder_names(tmp_path / "in")
