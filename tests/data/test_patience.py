"""A disk that does not answer is asked again, and its pictures are not taken for damaged ones."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from oodbench.core.errors import DiskError
from oodbench.data import entries, patience, read_files
from oodbench.data.entries import Entry
from oodbench.data.listing import PICTURE_SUFFIXES, list_folders
from oodbench.data.patience import PAUSES, patiently
from oodbench.data.pictures import load_picture


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", slept.append)
    return slept


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_it_is_asked_again(
    pauses: list[float], number: int, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [number, number]

    def action() -> str:
        if errors:
            raise OSError(errors.pop(), "no answer")
        return "content"

    assert patiently(action, Path("x")) == "content"
    assert pauses == list(PAUSES[:2])
    assert [record.getMessage() for record in caplog.records] == [
        "x: no answer: tried again in 0.5 s",
        "x: no answer: tried again in 1 s",
    ]


def test_it_ends_in_one_line(pauses: list[float]) -> None:
    def action() -> str:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(DiskError, match=r"x: Input/output error, after 7 attempts in 32 s: see to"):
        patiently(action, Path("x"))
    assert pauses == list(PAUSES)


def test_a_file_that_is_not_there_is_not_waited_for(pauses: list[float]) -> None:
    with pytest.raises(FileNotFoundError):
        patiently(lambda: Path("nowhere").read_bytes(), Path("nowhere"))
    assert pauses == []


def test_a_picture_is_not_left_out_for_it(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def read(path: Path) -> None:
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    monkeypatch.setattr(read_files, "_read", read)
    with pytest.raises(DiskError, match="Stale file handle"):
        load_picture(tmp_path / "a.JPEG")


def test_nor_is_it_from_a_listing(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a folder nor a file of which the disk says nothing for a while."""
    (tmp_path / "n01440764").mkdir()
    (tmp_path / "n01440764" / "a.JPEG").write_bytes(b"abc")
    silent = [False, True, False]  # from behind

    def scanned(folder: Path) -> list[Entry]:
        if silent.pop():
            raise OSError(errno.EIO, "Input/output error")
        return [Silent(entry) for entry in os.scandir(folder)]

    class Silent:
        """An entry whose size is not told the first time."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry = entry
            self._asked = 0
            self.name = entry.name

        def __getattr__(self, name: str) -> Any:
            return getattr(self._entry, name)

        def stat(self) -> os.stat_result:
            self._asked += 1
            if self._asked == 1:
                raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
            return self._entry.stat()

    monkeypatch.setattr(entries, "_scanned_once", scanned)
    (folder,) = list_folders(tmp_path, PICTURE_SUFFIXES)
    assert folder.files == (("a.JPEG", 3),)
    assert pauses == [0.5]
    assert silent == []
