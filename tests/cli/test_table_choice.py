"""What `oodbench-table` shows when asked for more than the whole table."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from run_factory import failure, run_result, score, store, store_examples, store_failure

from oodbench.cli.table import main

FILES = {"results.csv", "table.csv", "table.md"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store_examples(tmp_path)
    return tmp_path


def shown(root: Path, *options: str) -> int:
    return main(["--output-root", str(root), *options])


def test_a_choice_is_shown_and_all_is_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(root) == 0
    before = {name: (root / "tables" / name).read_bytes() for name in FILES}
    capsys.readouterr()
    assert shown(root, "--models", "res*", "--columns", "IN") == 0
    out = capsys.readouterr().out
    assert out.startswith("| Model    | IN ")
    assert "mynet" not in out
    assert str(root) not in out
    assert {name: (root / "tables" / name).read_bytes() for name in FILES} == before


def test_a_format_is_all_that_is_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(root, "--format", "json") == 0
    content = json.loads(capsys.readouterr().out)
    assert [cell["model"] for cell in content["cells"]] == ["resnet50", "mynet"]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("t.md", "| Model"),
        ("t.csv", "model,column,"),
        ("t.HTML", "<!DOCTYPE html>"),
        ("t.tex", "% Needs"),
        ("t.json", "{"),
        ("t.yaml", "---\nmodel-index:"),
    ],
)
def test_a_file_says_its_format(
    root: Path, name: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "new" / name
    assert shown(root, "--out", str(file)) == 0
    assert file.read_text(encoding="utf-8").startswith(begins)
    assert capsys.readouterr().out == f"{file}\n"


def test_a_file_of_another_name_needs_a_format(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "table.xlsx"
    assert shown(root, "--out", str(file)) == 1
    assert f"error: --out {file}: add --format md|csv|" in capsys.readouterr().err
    assert shown(root, "--out", str(file), "--format", "csv", "--quiet") == 0
    assert file.is_file()
    assert shown(root, "--failed", "--out", str(root / "failed.txt")) == 0
    assert (root / "failed.txt").read_text().startswith("failed: 1")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--failed", "--best"], ("--failed", "--best")),
        (["--attack-report", "--by", "attack"], ("--attack-report", "--by")),
        (["--spread", "attack", "--sort", "IN"], ("--spread", "--sort")),
        (["--spread", "attack", "--format", "html"], ("--spread", "--format html")),
        (["--failed", "--out", "x.csv"], ("--failed", "--format csv")),
        (["--best", "--against", "published"], ("--best", "--against")),
        (["--format", "model-index", "--against", "x"], ("--format model-index", "--against")),
        (["--quiet", "--format", "md"], ("--quiet", "--format without --out")),
    ],
)
def test_what_does_not_go_together_is_one_line(
    root: Path, options: list[str], named: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(root, *options) == 1
    assert capsys.readouterr().err == (
        f"error: {named[0]} and {named[1]} do not go together: leave one of them out\n"
    )
    assert not (root / "tables").exists()


def test_only_failures_are_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_failure(failure("mynet"), tmp_path)
    assert shown(tmp_path, "--format", "csv") == 1
    assert "1 failed cells and no result: --failed lists them" in capsys.readouterr().err
    assert shown(tmp_path, "--failed") == 0


def test_one_model_in_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(run_result("ant", scores={"top1": score(0.5, 0.4, 0.6)}), tmp_path)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: shutil.os.terminal_size((50, 20)))
    assert shown(tmp_path) == 0
    out = capsys.readouterr().out
    assert out.startswith("ant\n  IN  50.0 [40.0, 60.0]\n\nPercent")
    assert out.splitlines()[-1].endswith("table.md")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: shutil.os.terminal_size((300, 20)))
    assert shown(tmp_path) == 0
    assert capsys.readouterr().out.startswith("| Model")
