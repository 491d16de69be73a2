from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from run_factory import run_result, score, store, store_examples

from oodbench.cli.table import main
from oodbench.runs.results import RunResult

FILES = ("results.csv", "table.csv", "table.md")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store_examples(tmp_path)
    return tmp_path


def test_files_and_terminal(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output-root", str(root)]) == 0
    out = capsys.readouterr().out
    text = (root / "tables" / "table.md").read_text(encoding="utf-8")
    assert text in out
    assert [line for line in out.splitlines() if line.startswith(str(root))] == [
        str(root / "tables" / name) for name in FILES
    ]
    lines = text.splitlines()
    assert "| 76.1 [75.7, 76.5] (pub. 76.1, +0.0) |" in lines[2]
    assert lines[3].split("|")[1:4] == [
        " mynet    ",
        " failed                              ",
        " 25.0 ",
    ]
    assert len({len(line) for line in lines[:4]}) == 1
    assert sorted(path.name for path in (root / "tables").iterdir()) == sorted(FILES)


def test_quiet(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--outputs", str(root), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert all((root / "tables" / name).stat().st_size for name in FILES)


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output-root", str(tmp_path / "outputs")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: no finished run below {tmp_path}/outputs/runs; run oodbench model=… first\n"
    )
    assert not (tmp_path / "outputs").exists()


def test_default_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 1
    assert capsys.readouterr().err.startswith(
        "error: no finished run below outputs/runs; run oodbench"
    )


def test_damaged_normaliser(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output-root", str(root), "--normaliser", str(root / "none.csv")]) == 1
    assert "none.csv" in capsys.readouterr().err
    assert not (root / "tables").exists()


def test_rescored_runs_keep_their_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"_target_": "oodbench.benchmarks.folder.FolderBenchmark"}
    config = {"benchmark": {"protocol": target}}
    newest = replace(run_result("m", scores={"top1": score(0.1)}), key="a", config=config)
    oldest = replace(run_result("m", scores={"top1": score(0.2)}), key="b", config=config)
    store(newest, tmp_path, modified=2_000_000_000)
    store(oldest, tmp_path, modified=1_000_000_000)

    def rescore(result: RunResult, _: Sequence[str]) -> None:
        rescored = {"": {"top1": replace(result.scores[""]["top1"], low=0.0, high=1.0)}}
        store(replace(result, scores=rescored), tmp_path, modified=3_000_000_000)

    monkeypatch.setattr("oodbench.reports.tables.write.rescore", rescore)
    assert main(["--output-root", str(tmp_path), "--rescore", "--quiet"]) == 0
    assert "| 10.0 [0.0, 100.0] |" in (tmp_path / "tables" / "table.md").read_text("utf-8")
