"""Disks that are full, or cannot be written: a clear line, and the same command goes on later."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from run_bytes import run_bytes
from toys import Cli

from oodbench.cli.table import main as table

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
    assert "Read-only file system: use a folder that can be written" in done.stderr
    assert "Traceback" not in done.stderr
