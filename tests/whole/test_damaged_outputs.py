"""Chunks and results that are damaged, or of another version: what each command says and does."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import call
from run_bytes import run_bytes
from toys import Cli, write_pictures

from oodbench.cli.plan import main as plan
from oodbench.cli.report import main as report
from oodbench.cli.status import main as status
from oodbench.cli.table import main as table
from oodbench.core.checksum import write_checked

SWEEP = ("model=toy", "preprocessing=timm", "benchmark.chunk_size=10", "engine=eager")
PLANNED = ("--config-dir", "my_conf", "data.root=data", "data.allow_partial=true", *SWEEP)

Damage = Callable[[Path], object]


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def chunk(run: Path) -> Path:
    return run / "records" / "all-00001.parquet"


def of_schema(run: Path, schema: int) -> None:
    """The result as another version has written it, by its number at least."""
    content = json.loads((run / "result.json").read_text())
    del content["sha256"]
    write_checked(run / "result.json", {**content, "schema": schema})


@pytest.fixture
def run(toy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished run of 20 pictures, the only one of its sweep."""
    write_pictures(toy / "few" / "imagenet" / "val", per_class=4)
    (toy / "data").rename(toy / "many")
    (toy / "few").rename(toy / "data")
    assert cli("-m", *SWEEP).returncode == 0
    monkeypatch.chdir(toy)
    (folder,) = Path("outputs/runs/imagenet/toy").iterdir()
    return folder


DAMAGED_RESULTS: list[tuple[Damage, str]] = [
    (lambda run: cut(run / "result.json", 300), "damaged ("),
    (lambda run: cut(run / "result.json", 0), "damaged ("),
    (lambda run: flip(run / "result.json"), "damaged ("),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGED_RESULTS, ids=["cut", "empty", "flipped"])
def test_a_damaged_result_is_named_and_in_no_table(
    run: Path, cli: Cli, damage: Damage, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run_bytes(Path("outputs"))
    damage(run)
    line = f"{run}/result.json: not used: {said}"
    for command, options in ((table, []), (report, ["--out", "report.html"])):
        assert command(["--output-root", "outputs", *options]) == 1
        captured = capsys.readouterr()
        assert line in captured.err
        assert "no finished run below" in captured.err.splitlines()[-1]
        assert captured.out == ""
    assert not Path("outputs/tables/results.csv").exists()
    is_cut = not (run / "result.json").read_bytes().endswith(b"}\n")
    assert status([]) == int(is_cut)
    assert ("1 missing" in capsys.readouterr().out) is is_cut
    planned = call(lambda: plan([*PLANNED, "--no-calibration"]), [], folder=Path.cwd())
    assert planned.returncode == 0
    assert "1 runs: 0 pictures to do, 20 done" in planned.stdout
    done = cli("-m", *SWEEP)
    assert done.returncode == 0
    assert done.stderr.count(line) == 1
    assert run_bytes(Path("outputs")) == before
    assert (table([]), status([])) == (0, 0)


@pytest.mark.parametrize("damage", [lambda run: flip(chunk(run)), lambda run: cut(chunk(run), 99)])
def test_a_damaged_chunk_is_named_and_nothing_is_made_of_it(
    run: Path, cli: Cli, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result was made of the sound one, and is shown."""
    before = run_bytes(Path("outputs"))
    assert table([]) == 0
    shown = capsys.readouterr().out
    damage(run)
    line = f"{chunk(run)}: damaged ("
    assert table([]) == 0
    assert capsys.readouterr().out == shown
    assert table(["--rescore"]) == 1
    captured = capsys.readouterr()
    assert f"warning: not rescored: {line}" in captured.err
    assert captured.out == shown
    assert report(["--output-root", "outputs", "--out", "report.html"]) == 0
    assert status([]) == 0
    capsys.readouterr()
    planned = call(lambda: plan([*PLANNED, "--no-calibration"]), [], folder=Path.cwd())
    assert "1 runs: 10 pictures to do, 10 done" in planned.stdout
    done = cli("-m", *SWEEP)
    assert done.returncode == 0
    assert done.stderr.count(line) == 1
    assert run_bytes(Path("outputs")) == before


def test_a_result_of_an_older_version_is_used_by_all(
    run: Path, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert table([]) == 0
    shown = capsys.readouterr().out
    of_schema(run, 2)
    written = (run / "result.json").read_bytes()
    for command, options in (
        *((table, []), (status, []), (report, ["--out", "report.html"])),
        (plan, [*PLANNED, "--no-calibration"]),
    ):
        of_outputs = [] if command is plan else ["--output-root", "outputs"]
        found = call(lambda c=command, o=(*of_outputs, *options): c(list(o)), [], folder=Path.cwd())
        assert (found.returncode, found.stderr) == (0, "")
        assert command is not table or found.stdout == shown
    assert "1 job in" in cli("-m", *SWEEP).stdout
    assert (run / "result.json").read_bytes() == written


def test_a_result_of_a_newer_version_is_named_and_never_overwritten(
    run: Path, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    of_schema(run, 4)
    written = (run / "result.json").read_bytes()
    line = f"{run}/result.json: not used: schema 4, and this oodbench reads up to 3; update oodben"
    for command, options in ((table, []), (report, ["--out", "report.html"])):
        assert command(["--output-root", "outputs", *options]) == 1
        assert line in capsys.readouterr().err
    assert status([]) == 0
    planned = call(lambda: plan([*PLANNED, "--no-calibration"]), [], folder=Path.cwd())
    assert planned.returncode == 1
    assert f"missing: {line}" in planned.stderr
    done = cli("-m", *SWEEP)
    assert done.returncode == 1
    assert f"{line}ch, or set output_root to another folder" in done.stderr
    assert (run / "result.json").read_bytes() == written
    assert (run / "error.json").exists()
    of_schema(run, 3)
    assert cli("-m", *SWEEP).returncode == 0
    assert not (run / "error.json").exists()
    assert table([]) == 0
