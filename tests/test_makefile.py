"""`make demo` and `make table` belong together; what they call is tested elsewhere."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installed environment whose commands print their own command line."""
    (tmp_path / "bin").mkdir()
    for name in ("oodbench", "oodbench-data", "oodbench-table", "oodbench-report"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "ran {name} $*"\n')
        program.chmod(0o755)
    for name in ("setup.cfg", "constraints.txt", "installed"):
        (tmp_path / name).touch()
    return tmp_path


def made(folder: Path, target: str) -> list[str]:
    line = ["make", "--silent", "-f", str(MAKEFILE), "BIN=bin", "INSTALLED=installed", target]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_demo_says_how_long_how_large_and_what_comes_next(folder: Path) -> None:
    first, *_ = made(folder, "demo")
    assert first.startswith("The demo: one to two minutes on two cores, 16 MB in demo-data")
    said = made(folder, "demo")
    assert [line for line in said if line.startswith("ran ")] == [
        "ran oodbench-data demo --out demo-data",
        "ran oodbench experiment=demo",
        "ran oodbench-table --output-root outputs/demo",
    ]
    end = said[said.index("ran oodbench-table --output-root outputs/demo") :]
    assert "  . bin/activate" in end
    assert any(line.startswith("  oodbench model=efficientnet_lite0 ") for line in end)


def test_table_shows_what_there_is(folder: Path) -> None:
    of_user, of_demo = "ran oodbench-table ", "ran oodbench-table --output-root outputs/demo"
    assert made(folder, "table") == [of_user]  # which says that there is nothing
    (folder / "outputs" / "demo" / "runs").mkdir(parents=True)
    assert made(folder, "table") == ["The demo, outputs/demo:", of_demo]
    (folder / "outputs" / "runs").mkdir()
    assert made(folder, "table") == [of_user, "The demo, outputs/demo:", of_demo]


def test_report_is_of_what_there_is(folder: Path) -> None:
    of_user = "ran oodbench-report --out outputs/report.html"
    of_demo = "ran oodbench-report --output-root outputs/demo --out outputs/demo/report.html"
    assert made(folder, "report") == [of_user]  # which says that there is nothing
    (folder / "outputs" / "demo" / "runs").mkdir(parents=True)
    assert made(folder, "report") == [of_demo]
    (folder / "outputs" / "runs").mkdir()
    assert made(folder, "report") == [of_user, of_demo]
