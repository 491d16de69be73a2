import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from oodbench.data.generation.checksums import ChecksumLogs, settle
from oodbench.data.manifest import CHECKSUMS


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("n2/b.mp4", "n1/c.mp4", "n1/ä.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "n1" / ".c.mp4.x.part").write_text("of a killed run")
    return tmp_path


def lines(folder: Path) -> list[str]:
    return (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()


def test_files_that_were_not_noted_are_read(folder: Path) -> None:
    checksum = settle(folder, ".mp4")
    names = ("n1/c.mp4", "n1/ä.mp4", "n2/b.mp4")
    assert lines(folder) == [f"{sha256(name)}  {name}" for name in names]
    assert checksum == hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()
    assert settle(folder, ".mp4") == checksum


def test_what_was_noted_is_kept_the_last_of_two_and_only_of_files_that_are_there(
    folder: Path,
) -> None:
    for noted in ("1", "2"):
        with ChecksumLogs() as logs:
            logs.note(folder, "n1/c.mp4", noted * 64)
            logs.note(folder, "n1/gone.mp4", noted * 64)
    settle(folder, ".mp4")
    assert [line[66:] for line in lines(folder)] == ["n1/c.mp4", "n1/ä.mp4", "n2/b.mp4"]
    assert lines(folder)[0] == f"{'2' * 64}  n1/c.mp4"


@pytest.mark.parametrize("broken", ["3" * 20, "3" * 64 + "  n1/c", "3" * 64 + "  ", "\xff"])
def test_a_line_that_was_broken_off_is_no_line(folder: Path, broken: str) -> None:
    (folder / CHECKSUMS).write_text(broken, encoding="latin-1")
    with ChecksumLogs() as logs:
        logs.note(folder, "n2/b.mp4", "4" * 64)
    settle(folder, ".mp4")
    assert lines(folder)[0] == f"{sha256('n1/c.mp4')}  n1/c.mp4"
    assert lines(folder)[2] == f"{'4' * 64}  n2/b.mp4"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs the program sha256sum")
def test_sha256sum_reads_it(folder: Path) -> None:
    settle(folder, ".mp4")
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
