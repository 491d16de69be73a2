"""What is beside the pictures: links that lead nowhere, folders of systems, other files."""

import logging
import os
from pathlib import Path

import pytest

from oodbench.core.errors import DataError
from oodbench.data import entries
from oodbench.data.entries import files
from oodbench.data.listing import PICTURE_SUFFIXES, folder_names, list_folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "n01440764"
    folder.mkdir()
    for name, size in (("b.JPEG", 3), ("a.png", 2), ("x.gif", 1), ("notes.txt", 1), (".c.png", 1)):
        (folder / name).write_bytes(bytes(size))
    for name in ("DEMO.txt", "SHA256SUMS"):
        (folder / name).write_text("our own notes")
    (folder / "inner.png").mkdir()
    (folder / "linked.png").symlink_to("a.png")
    (folder / "dead.png").symlink_to("nowhere")
    (folder / "round").symlink_to("round")
    for name in ("lost+found", "@eaDir", "__MACOSX", "$RECYCLE.BIN", ".Trash-0"):
        (tmp_path / name).mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "n01443537").symlink_to(".", target_is_directory=True)
    return tmp_path


def test_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "n01484850").symlink_to("nowhere")
    for _ in range(2):
        assert folder_names(root) == ["n01440764", "n01443537"]
    assert caplog.messages == [
        f"{root}: left out: 2 dead links, such as circle: mend or remove them"
    ]


def test_files_and_what_is_left_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = files(root / "n01440764", PICTURE_SUFFIXES)
    assert found == (("a.png", 2), ("b.JPEG", 3), ("linked.png", 2))
    # dead.png, notes.txt, round, x.gif
    assert [record.getMessage() for record in caplog.records] == [
        f"{root / 'n01440764'}: left out: 4 files, such as dead.png, that are none of "
        ".bmp, .jpeg, .jpg, .png, .ppm, .tif, .tiff, .webp, or dead links"
    ]


def test_one_file_is_named_and_what_was_looked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.gif").touch()
    with caplog.at_level(logging.WARNING):
        assert files(tmp_path, frozenset({".mp4"})) == ()
    assert caplog.messages == [
        f"{tmp_path}: left out: x.gif, which is none of .mp4, or a dead link"
    ]


def test_other_files_may_have_any_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / os.fsdecode(b"\xff.txt")).touch()
    assert files(tmp_path, PICTURE_SUFFIXES) == (("a.png", 1),)
    (said,) = caplog.messages
    assert said.encode("utf-8").startswith(f"{tmp_path}: left out: \\udcff.txt, which".encode())


def test_a_folder_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(entries.os, "scandir", refuse)
    for listed in (folder_names, lambda place: list_folders(place, PICTURE_SUFFIXES)):
        with pytest.raises(DataError, match=rf"^{root}: may not be read: change its mode$"):
            listed(root)
