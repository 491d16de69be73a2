"""Zip files that are damaged, encrypted or packed otherwise are refused by name."""

import logging
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from container_files import as_deflated_zip, as_zip, pictures

from oodbench.core.errors import DataError
from oodbench.data.containers.base import MOST_BYTES
from oodbench.data.listing import folder_names
from oodbench.data.read_files import read_file


def flags_of(content: bytes, at: int, value: int, offset: int) -> bytes:
    return content[: at + offset] + struct.pack("<H", value) + content[at + offset + 2 :]


def test_a_damaged_picture_is_named(folder: Path, tmp_path: Path) -> None:
    for made in (as_zip, as_deflated_zip):
        container = made(folder, tmp_path / "packed")
        name = pictures(folder)[1].relative_to(folder)
        with zipfile.ZipFile(container) as archive:
            at = archive.getinfo(name.as_posix()).header_offset + 200
        content = bytearray(container.read_bytes())
        content[at] ^= 255
        container.write_bytes(content)
        with pytest.raises(DataError, match=rf"val\.zip: {name}: damaged, .*: get the file again"):
            read_file(container / name)


def test_a_file_that_is_cut_off_is_no_zip_file(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    container.write_bytes(container.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"val\.zip: not a whole zip file \(File is not a zip file\)"
    ):
        folder_names(container)


def test_encrypted_pictures_are_refused(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    content = container.read_bytes()
    container.write_bytes(flags_of(content, content.index(b"PK\x01\x02"), 1, 8))
    with pytest.raises(DataError, match=r"val\.zip: n01440764/.*: encrypted: unpack it"):
        folder_names(container)


@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")]
)
def test_other_ways_to_pack_are_refused(
    method: int, name: str, folder: Path, tmp_path: Path
) -> None:
    container = as_zip(folder, tmp_path / "packed", method)
    with pytest.raises(DataError, match=rf"n01440764/.*: packed by {name}: unpack the file"):
        folder_names(container)


def test_a_picture_that_unpacks_to_more_than_it_says_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    """Of a bomb no more is unpacked than its header admits, and that is at most 1 GiB."""
    container = tmp_path / "x.zip"
    with zipfile.ZipFile(container, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("n01440764/a.jpg", bytes(1 << 22))
    content = container.read_bytes()
    central = content.index(b"PK\x01\x02")
    small = content[: central + 24] + struct.pack("<I", 100) + content[central + 28 :]
    container.write_bytes(small)
    folder_names(container)
    with pytest.raises(DataError, match=r"a\.jpg: damaged, its checksum or size"):
        read_file(container / "n01440764" / "a.jpg")
    large = content[: central + 24] + struct.pack("<I", MOST_BYTES + 1) + content[central + 28 :]
    container.write_bytes(large)
    with pytest.raises(DataError, match=r"a\.jpg: 1073741825 bytes, more than any picture"):
        folder_names(container)


def test_links_are_left_out_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    link = zipfile.ZipInfo("n01443537/b.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("n01440764/a.jpg", b"a")
        archive.writestr(link, "/etc/passwd")
    assert folder_names(tmp_path / "x.zip") == ["n01440764"]
    assert "left out: 1 links" in caplog.text


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("n01440764/a.jpg", b"a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("n01440764/a.jpg", b"b")
    with pytest.raises(DataError, match=r"x\.zip: n01440764/a\.jpg is in it twice"):
        folder_names(tmp_path / "x.zip")
