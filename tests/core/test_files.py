"""Files that are whole or as before, whatever happens while they are written."""

import errno
import fcntl
import json
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import at_once

from oodbench.core.cache import cached_json
from oodbench.core.errors import is_mendable
from oodbench.core.files import (
    atomic_path,
    locked,
    read_json,
    write_json,
    write_text,
    write_together,
)


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with atomic_path(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
        assert part.parent == path.parent
        assert part.suffix == ".part"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


def test_others_may_read_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "c.txt", "")
    assert stat.S_IMODE((tmp_path / "c.txt").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "exception",
    [ValueError("x"), KeyboardInterrupt(), SystemExit(1), OSError(errno.ENOSPC, "full")],
)
@pytest.mark.parametrize("old", ["old", None])
def test_an_exception_leaves_the_old_file_and_no_part(
    tmp_path: Path, exception: BaseException, old: str | None
) -> None:
    path = tmp_path / "result.json"
    if old is not None:
        path.write_text(old)

    def write_half() -> None:
        with atomic_path(path) as part:
            part.write_text("half")
            raise exception

    with pytest.raises(type(exception)) as raised:
        write_half()
    assert raised.value is exception
    assert [file.name for file in tmp_path.iterdir()] == (["result.json"] if old else [])
    assert old is None or path.read_text() == old


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_is_full_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "result.json"
    path.write_text("old")
    monkeypatch.setattr("os.fsync" if call == "fsync" else "pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"a": 1})
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_files_written_together_are_all_flushed_before_the_first_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {tmp_path / name / "x.bin": name.encode() for name in ("a", "b", "c")}
    there: list[int] = []
    monkeypatch.setattr("os.fsync", lambda _: there.append(len(list(tmp_path.rglob("x.bin")))))
    write_together(contents)
    assert there == [0, 0, 0]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == contents
    assert stat.S_IMODE((tmp_path / "a" / "x.bin").stat().st_mode) == 0o644


def test_a_full_disk_leaves_none_of_the_files_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def full(file: int) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_together({tmp_path / name: b"new" for name in ("a", "b", "c")})
    assert list(tmp_path.iterdir()) == []


def test_the_block_may_have_removed_the_part(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x") as part:
        part.unlink()
    assert list(tmp_path.iterdir()) == []


def test_json_roundtrip(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"b": [1, 2.5, None], "a": "é"})
    assert path.read_text(encoding="utf-8").startswith('{\n  "b": [')
    assert "é" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_bytes()) == read_json(path) == {"b": [1, 2.5, None], "a": "é"}


def test_json_holds_file_names_that_are_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    name = os.fsdecode(b"a\xff\xfe")
    write_json(path, {name: [name, "\\udcff"]})
    path.read_bytes().decode("utf-8")
    assert json.loads(path.read_bytes()) == read_json(path) == {name: [name, "\\udcff"]}


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe\x00"])
def test_a_damaged_file_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert read_json(path) is None


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_json(tmp_path / "x.json") is None
    assert read_json(tmp_path / "file" / "x.json") is None


def test_cached_json_makes_once_and_again_after_damage(tmp_path: Path) -> None:
    calls = []

    def make() -> int:
        calls.append(1)
        return 5

    path = tmp_path / "cache" / "x.json"
    assert [cached_json(path, make) for _ in range(3)] == [5, 5, 5]
    assert len(calls) == 1
    path.write_text("{")
    assert cached_json(path, make) == 5
    assert len(calls) == 2
    assert cached_json(path, make) == 5
    assert len(calls) == 2


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cached_json(tmp_path / "file" / "x.json", lambda: 5) == 5


COUNT = """
from pathlib import Path; from oodbench.core.files import locked, read_json, write_json
path = Path(sys.argv[1])
for _ in range(25):
    with locked(path):
        write_json(path, (read_json(path) or 0) + 1)
"""


def test_processes_take_turns_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "count.json"
    at_once(COUNT, *[[str(path)]] * 4)
    assert read_json(path) == 100


def test_threads_take_turns_too(tmp_path: Path) -> None:
    path = tmp_path / "count.json"

    def count(_: int) -> None:
        with locked(path):
            write_json(path, (read_json(path) or 0) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(100)))
    assert read_json(path) == 100


def test_a_lock_is_free_again_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(KeyboardInterrupt), locked(path):
        raise KeyboardInterrupt
    with (tmp_path / ".x.json.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert [file.name for file in tmp_path.iterdir()] == [".x.json.lock"]


def test_a_file_system_without_locks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    path = tmp_path / "x.json"
    with caplog.at_level(logging.WARNING), locked(path):
        write_json(path, 1)
    assert read_json(path) == 1
    assert "No locks available" in caplog.messages[0]


def test_a_device_is_written_to_and_not_replaced() -> None:
    before = Path("/dev/null").stat()
    write_json(Path("/dev/null"), {"a": 1})
    after = Path("/dev/null").stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        write_json(pipe, [1])
        assert json.loads(read.result(10)) == [1]
    assert pipe.is_fifo()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_json(tmp_path / "a.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_disk_that_is_full_while_a_file_is_written_is_said_with_its_name(tmp_path: Path) -> None:
    """The system names no file where writing to an open one fails."""
    with pytest.raises(OSError, match="No space left") as full, atomic_path(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert full.value.filename == str(tmp_path / "a.json")
    assert is_mendable(full.value)
    assert list(tmp_path.iterdir()) == []
