"""Tar files that are damaged or compressed are refused; what is no file is left out."""

import logging
import tarfile
from pathlib import Path

import pytest
from container_files import as_tar, pictures, tar_of

from oodbench.core.errors import DataError
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import folder_names, list_folders


def test_a_damaged_header_is_not_the_end(folder: Path, tmp_path: Path) -> None:
    container = as_tar(folder, tmp_path / "packed")
    with tarfile.open(container) as archive:
        at = [member for member in archive if member.isreg()][3].offset
    content = bytearray(container.read_bytes())
    content[at + 150] ^= 255
    container.write_bytes(content)
    with pytest.raises(DataError, match=rf"val\.tar: damaged header behind n.*JPEG, at byte {at}"):
        folder_names(container)


@pytest.mark.parametrize("kept", [700, 1600, 1800])
def test_a_file_that_is_cut_off_names_where(kept: int, folder: Path, tmp_path: Path) -> None:
    container = as_tar(folder, tmp_path / "packed")
    with tarfile.open(container) as archive:
        member = next(member for member in archive if member.isreg())
    container.write_bytes(container.read_bytes()[: member.offset + kept])
    with pytest.raises(
        DataError, match=r"val\.tar: cut off at or behind (n\d+/n.*\.JPEG|its first member)"
    ):
        folder_names(container)


def test_a_compressed_tar_is_refused(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "val.tar", "w:gz") as archive:
        archive.add(folder, ".")
    with pytest.raises(
        DataError, match=r"val\.tar: cannot be read as a tar file .* run gunzip first"
    ):
        folder_names(tmp_path / "val.tar")


def test_an_empty_file_is_no_tar(tmp_path: Path) -> None:
    (tmp_path / "val.tar").touch()
    with pytest.raises(DataError, match=r"val\.tar: cannot be read as a tar file \(empty file\)"):
        folder_names(tmp_path / "val.tar")


def test_links_and_devices_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    tar_of(tmp_path / "in" / "x.tar", [("n01440764/a.jpg", b"a")])
    with tarfile.open(tmp_path / "in" / "x.tar", "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"n01443537/{kind!r}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert folder_names(tmp_path / "in" / "x.tar") == ["n01440764"]
    assert "left out: 4 links and other members" in caplog.text


def test_long_names_and_large_numbers(tmp_path: Path) -> None:
    name = f"n01440764/{'long ' * 40}.jpg"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / f"{kind}.tar", "w", format=kind) as archive:
            info = tarfile.TarInfo(name)
            archive.addfile(info)
        (listed,) = list_folders(tmp_path / f"{kind}.tar", PICTURE_SUFFIXES)
        assert listed.files == ((name.split("/")[1], 0),)


def test_splits_side_by_side_are_chosen_by_name(tmp_path: Path) -> None:
    """As timm's data sets on the hub lie in one folder."""
    for split, wnid in (("train", "n01440764"), ("validation", "n01443537")):
        for number in range(2):
            name = f"imagenet1k-{split}-{number:04d}.tar"
            tar_of(tmp_path / "in" / name, [(f"{wnid}/{number}.jpg", b"a")])
    splits = "imagenet1k-train, imagenet1k-validation"
    with pytest.raises(DataError, match=rf"2 splits, {splits}: name one, such as .*-validation$"):
        folder_names(tmp_path / "in")
    (listed,) = list_folders(tmp_path / "in" / "imagenet1k-validation", PICTURE_SUFFIXES)
    assert (listed.name, listed.files) == ("n01443537", (("0.jpg", 1), ("1.jpg", 1)))
    assert pictures(tmp_path / "in")


def test_archives_without_numbers_hold_one_tree(tmp_path: Path) -> None:
    for name in ("blur", "noise"):
        tar_of(tmp_path / "in" / f"{name}.tar", [(f"{name}/1/n01440764/a.jpg", b"a")])
    assert folder_names(tmp_path / "in") == ["blur", "noise"]
