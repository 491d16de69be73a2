"""Exported models on disk: made once, never damaged, never half."""

import os
import subprocess
import sys
import time
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from oodbench.engines.store import ExportStore

Usage = namedtuple("Usage", "total used free")


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "model.bin").write_bytes(b"weights")
        (folder / "model.xml").write_text("graph")


def get(directory: Path, make: Any, identity: str | None = "net", **facts: Any) -> Path:
    store = ExportStore(directory, identity)
    return store.get(make, libraries=("numpy",), facts=facts, size=7)


def is_good(folder: Path) -> bool:
    return (folder / "model.bin").read_bytes() == b"weights" and (folder / "model.xml").exists()


def test_a_model_is_made_once_for_what_it_depends_on(tmp_path: Path) -> None:
    make = Maker()
    first = get(tmp_path, make, width=2)
    assert is_good(first)
    assert get(tmp_path, make, width=2) == first
    assert make.calls == 1
    assert get(tmp_path, make, width=3) != first
    assert get(tmp_path, make, "other", width=2) != first
    assert make.calls == 3


def test_another_version_of_a_library_makes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker()
    first = get(tmp_path, make)
    monkeypatch.setattr("oodbench.core.versions.version", lambda name: "99")
    assert get(tmp_path, make) != first


def test_a_checkout_that_is_not_installed_keeps_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_others(name: str) -> str:
        if name == "oodbench":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr("oodbench.core.versions.version", of_others)
    make = Maker()
    assert get(tmp_path, make) == get(tmp_path, make)
    assert make.calls == 1


@pytest.mark.parametrize("damage", ["changed", "cut", "removed", "added", "no sums", "bad sums"])
def test_a_damaged_model_is_made_again(damage: str, tmp_path: Path) -> None:
    make = Maker()
    folder = get(tmp_path, make)
    if damage == "changed":
        (folder / "model.bin").write_bytes(b"wrights")
    elif damage == "cut":
        (folder / "model.bin").write_bytes(b"weig")
    elif damage == "removed":
        (folder / "model.bin").unlink()
    elif damage == "added":
        (folder / "more.bin").write_bytes(b"")
    elif damage == "no sums":
        (folder / "sha256.json").unlink()
    else:
        (folder / "sha256.json").write_text("[")
    again = get(tmp_path, make)
    assert is_good(again)
    assert again == folder
    assert make.calls == 2
    assert [entry.name for entry in tmp_path.iterdir()] == [folder.name]


def test_a_model_without_identity_is_not_kept(tmp_path: Path) -> None:
    make = Maker()
    assert is_good(get(tmp_path, make, None))
    assert is_good(get(tmp_path, make, None))
    assert make.calls == 2
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert is_good(get(tmp_path / "file", Maker()))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {tmp_path: 3}
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100, 0, free.get(Path(path), 100)))
    folder = get(tmp_path, Maker())
    assert is_good(folder)
    assert tmp_path not in folder.parents
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100, 0, 3))
    with pytest.raises(OSError, match="GiB free"):
        get(tmp_path, Maker())


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "model.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, fail)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".part-old", tmp_path / ".part-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 100_000,) * 2)
    get(tmp_path, Maker())
    assert not old.exists()
    assert new.exists()


def test_a_process_that_comes_second_takes_what_is_there(tmp_path: Path) -> None:
    make = Maker()
    others: list[Path] = []

    def slow(folder: Path) -> None:
        others.append(get(tmp_path, make))
        make(folder)

    assert get(tmp_path, slow) == others[0]
    assert len(list(tmp_path.iterdir())) == 1


PROCESS = """
import sys
from pathlib import Path
from oodbench.engines.store import ExportStore
def make(folder):
    (folder / "model.bin").write_bytes(b"weights" * 100_000)
store = ExportStore(Path(sys.argv[1]), "net")
for round in range(15):
    folder = store.get(make, libraries=(), facts={"round": round}, size=1)
    assert (folder / "model.bin").read_bytes() == b"weights" * 100_000
"""


def test_processes_that_fill_one_store(tmp_path: Path) -> None:
    line = [sys.executable, "-c", PROCESS, str(tmp_path)]
    running = [subprocess.Popen(line) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 15


INTERRUPTED = """
import sys
from pathlib import Path
from oodbench import run
from oodbench.engines.store import ExportStore

def make(folder):
    (folder / "model.bin").write_bytes(b"weights")

def interrupted():
    store = ExportStore(Path(sys.argv[1]), "net")
    folder = store.get(make, libraries=("numpy",), facts={}, size=7)
    print((folder / "model.bin").read_bytes())
    raise KeyboardInterrupt

run.prepare_launch = lambda *_: None
run.hydra.main = lambda **_: lambda task: interrupted
run.main()
"""


def test_ctrl_c_leaves_no_temporary_folder_of_a_store_that_cannot_be_written_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "file" / "store")],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (130, "b'weights'\n"), ended.stderr
    assert list((tmp_path / "temporary").iterdir()) == []
