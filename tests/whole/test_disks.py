"""Disks that are full, or cannot be written: a clear line, and the same command goes on later."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from run_bytes import run_bytes
from toys import Cli, write_pictures

from oodbench.cli.report import main as report
from oodbench.cli.status import main as status
from oodbench.cli.table import main as table
from oodbench.core import files

READ_ONLY = "Read-only file system: use a folder that can be written"
RUN = ("model=toy", "preprocessing=timm", "benchmark.chunk_size=10", "engine=eager")

Mount = Callable[[str], None]


@pytest.fixture
def small(toy: Path) -> Iterator[Mount]:
    """Mount a small file system in memory at `small`, or mount it anew with other options."""
    place = toy / "small"
    place.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def fill(folder: Path, left: int) -> Path:
    """Leave so many bytes free."""
    file = folder / "filler"
    free = subprocess.run(
        ["df", "--output=avail", "-B1", str(folder)], capture_output=True, text=True, check=True
    )
    file.write_bytes(bytes(int(free.stdout.split()[1]) - left))
    return file


@pytest.mark.slow
def test_a_full_disk(toy: Path, small: Mount, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    small("size=4m")
    filler = fill(toy / "small", left=60_000)
    done = cli(*RUN, "output_root=small/out")
    assert done.returncode == 1
    assert "No space left on device: make room, or use another folder" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.chdir(toy)
    filler.unlink()
    table(["--output-root", "small/out", "--quiet"])  # which may find no run at all
    for file in (toy / "small" / "out").glob("tables/results.csv"):
        assert pd.read_csv(file)["value"].isna().all()
    assert cli(*RUN, "output_root=small/out").returncode == 0
    assert cli(*RUN, "output_root=alone").returncode == 0
    assert run_bytes(toy / "small" / "out") == run_bytes(toy / "alone")


def test_an_output_folder_that_cannot_be_written(toy: Path, small: Mount, cli: Cli) -> None:
    small("size=4m,ro")
    done = cli(*RUN, "output_root=small/out", "hydra.run.dir=logs")
    assert done.returncode == 1
    assert READ_ONLY in done.stderr
    assert "Traceback" not in done.stderr


FILES = {
    "key.json": 1,
    "all-00001.parquet": 1,
    "run.json": 0,
    "summary.json": 1,
    "result.json": 1,
    "outcome.json": 0,
}
"""The files of a job that write one after the other; the exit code without them."""


@pytest.fixture
def full(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the disk be full when a file of this name is written, wherever it is; "" for none."""
    flush = files._flush

    def make_full(name: str) -> None:
        def flushed(part: Path) -> None:
            if name and part.name.startswith(f".{name}."):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush(part)

        monkeypatch.setattr(files, "_flush", flushed)

    write_pictures(toy / "few" / "imagenet" / "val", per_class=4)
    monkeypatch.chdir(toy)
    return make_full


SHORT = (*RUN, "data.root=few")


@pytest.mark.parametrize("name", FILES)
def test_a_disk_that_is_full_when_a_file_is_written(
    toy: Path, full: Callable[[str], None], cli: Cli, name: str
) -> None:
    """One line names it; a table holds what is whole; the same command does the rest."""
    full(name)
    done = cli(*SHORT)
    assert done.returncode == FILES[name]
    (line,) = {line for line in done.stderr.splitlines() if "No space left" in line}
    assert f"/{name}" in line
    assert "Traceback" not in done.stderr
    full("")
    table(["--quiet"])
    whole = FILES[name] == 0
    for file in Path("outputs").glob("tables/results.csv"):
        assert set(pd.read_csv(file)["status"]) == {"partial" if whole else "failed"}
    assert cli(*SHORT).returncode == 0
    assert cli(*SHORT, "output_root=alone").returncode == 0
    assert run_bytes(toy / "outputs") == run_bytes(toy / "alone")


def test_a_disk_that_is_full_when_a_chunk_is_leased(
    toy: Path, full: Callable[[str], None], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def written(descriptor: int, content: bytes) -> int:
        if b'"token"' in content:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", written)
        done = cli(*SHORT)
    assert done.returncode == 1
    assert ".all-00000.parquet.lease: No space left on device: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert cli(*SHORT).returncode == 0
    assert cli(*SHORT, "output_root=alone").returncode == 0
    assert run_bytes(toy / "outputs") == run_bytes(toy / "alone")


def test_a_disk_that_is_full_when_a_failure_is_written(
    toy: Path, full: Callable[[str], None], cli: Cli
) -> None:
    full("error.json")
    done = cli(*SHORT, "data.root=nowhere")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "No space left" in line]
    assert "error.json could not be written" in line
    assert "nowhere/imagenet/val: no such folder" in done.stderr
    full("")
    assert cli(*SHORT).returncode == 0


@pytest.mark.parametrize("name", ["results.csv", "table.csv", "table.md"])
def test_a_disk_that_is_full_when_a_table_is_written(
    toy: Path,
    full: Callable[[str], None],
    cli: Cli,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is shown all the same; the files that were there stay, whole."""
    assert cli(*SHORT).returncode == 0
    assert table(["--quiet"]) == 0
    tables = {path: path.read_bytes() for path in Path("outputs/tables").iterdir()}
    full(name)
    capsys.readouterr()
    assert table([]) == 1
    captured = capsys.readouterr()
    said = f"outputs/tables/{name}: No space left on device: make room, or use another folder"
    assert captured.err == f"warning: the tables are not written: {said}\n"
    assert "partial 20/50000" in captured.out
    assert {path: path.read_bytes() for path in Path("outputs/tables").iterdir()} == tables
    full("")
    assert table([]) == 0


def test_a_disk_that_is_full_when_a_report_is_written(
    full: Callable[[str], None], cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(*SHORT).returncode == 0
    page = ["--output-root", "outputs", "--out", "report.html"]
    full("report.html")
    assert report(page) == 1
    said = "report.html: No space left on device: make room, or use another folder"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not Path("report.html").exists()
    full("")
    assert report(page) == 0


def test_a_log_that_cannot_be_written_is_said_once(toy: Path, cli: Cli) -> None:
    """The console has its lines, and the run is not stopped."""
    done = cli(*RUN, "limit=4", "hydra.job_logging.handlers.file.filename=/dev/full")
    assert done.returncode == 0
    said = "warning: /dev/full: No space left on device: lines are missing there\n"
    assert done.stderr.count("No space left") == done.stderr.count(said) == 1
    assert "Traceback" not in done.stderr
    assert "4 pictures to evaluate" in done.stderr


@pytest.mark.slow
def test_results_that_can_only_be_read(
    toy: Path,
    small: Mount,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are found done and shown; what would write says which file."""
    small("size=4m")
    here = (*RUN, "limit=4", "output_root=small/out", "hydra.run.dir=logs")
    assert cli(*here).returncode == 0
    small("remount,ro")
    done = cli(*here)
    assert done.returncode == 0
    assert "done already" in done.stderr
    done = cli(*here, "limit=5")
    assert done.returncode == 1
    assert f"key.json: {READ_ONLY}" in done.stderr
    monkeypatch.chdir(toy)
    root = ["--output-root", "small/out"]
    capsys.readouterr()
    for command, options, code in (
        (table, [], 1),
        (table, ["--out", "table.tex"], 0),
        (status, [], 1),
        (report, ["--out", "report.html"], 0),
    ):
        assert command([*root, *options]) == code
        said = capsys.readouterr()
        if command is table:
            assert (
                said.err == f"warning: the tables are not written: small/out/tables: {READ_ONLY}\n"
            )
    assert (toy / "table.tex").is_file()
    assert table([*root, "--rescore", "--quiet"]) == 1
    assert f"summary.json: {READ_ONLY}" in capsys.readouterr().err
