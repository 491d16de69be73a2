"""Commands that read finished runs name the files that they cannot use, and use the others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from run_factory import failure, run_result, score, store, store_failure

from oodbench.cli.check import main as check
from oodbench.cli.table import main as table

Command = Callable[[list[str]], int]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sound runs; a result cut short, one of a newer schema, a folder, an incomplete error."""
    store(run_result("resnet50", scores={"top1": score(0.7613, n=50_000)}), tmp_path)
    store(run_result("mynet", scores={"top1": score(0.25)}), tmp_path)
    cut = store(run_result("cut"), tmp_path) / "result.json"
    cut.write_text(cut.read_text()[:100])
    newer = store(run_result("newer"), tmp_path) / "result.json"
    newer.write_text(json.dumps({**json.loads(newer.read_text()), "schema": 4, "colour": "red"}))
    (tmp_path / "runs" / "imagenet" / "folder" / "1" / "result.json").mkdir(parents=True)
    incomplete = store_failure(failure("incomplete"), tmp_path) / "error.json"
    incomplete.write_text('{"model": "incomplete", "difference": 3}')
    return tmp_path


@pytest.mark.parametrize("command", [table, check])
@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_each_is_named_in_one_line(
    root: Path, command: Command, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["--output-root", str(root), *options]) == 0
    captured = capsys.readouterr()
    assert ("mynet" in captured.out) is (options == [] and command is table)
    lines = captured.err.splitlines()
    start = f"warning: {root}/runs/imagenet/"
    assert all(line.startswith(start) for line in lines)
    named = [line.removeprefix(start).split(": ", 3) for line in lines]
    assert [[path, *reason[:2]] for path, *reason in named] == [
        ["cut/000000000001/result.json", "not used", named[0][2]],
        ["folder/1/result.json", "not used", "a folder in the place of a file; remove it"],
        [
            "newer/000000000001/result.json",
            "not used",
            "schema 4, and this oodbench reads up to 3; update oodbench",
        ],
        ["incomplete/00000000000f/error.json", "not used", "damaged (fields missing"],
    ]
    assert named[0][2].startswith("damaged (")


@pytest.mark.parametrize("command", [table, check])
def test_without_a_sound_one_they_are_named_before_the_error(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (store(run_result("m"), tmp_path) / "result.json").write_text("{}")
    assert command(["--output-root", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "fields missing" in lines[0]
    assert lines[1].startswith("no finished run below ")
    assert len(lines) == 2


def test_a_damaged_result_is_not_rescored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store(run_result("m"), tmp_path) / "result.json"
    store_failure(failure("other"), tmp_path)
    file.write_text("{}")
    assert table(["--output-root", str(tmp_path), "--rescore", "--quiet"]) == 0
    assert file.read_text() == "{}"
    assert len(capsys.readouterr().err.splitlines()) == 1
