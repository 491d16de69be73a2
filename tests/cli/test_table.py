from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd
import pytest
from run_factory import failure, run_result, score, store, store_examples, store_failure

from oodbench.cli.table import main
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunResult, read_failure

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


def folder_run(root: Path, key: str) -> RunResult:
    """A finished run of four pictures in two chunks, half of them right."""
    target = {"_target_": "oodbench.benchmarks.folder.FolderBenchmark", "root": "x"}
    target |= {"n_expected": 4, "scores": ["oodbench.metrics.accuracy.top1"]}
    counts = {"": {"n_items": 4, "n": 4, "n_expected": 4, "skipped": []}}
    config = {"benchmark": {"protocol": target}}
    result = run_result("m", scores={"top1": score(0.5, n=4)}, key=key, splits=counts)
    result = replace(result, config=config, difference=[f"seed={key}"])
    folder = store(result, root)
    for number in range(2):
        columns = {
            "position": np.arange(2, dtype=np.int32) + 2 * number,
            "label": np.array([7, 8], dtype=np.int16),
            "prediction": np.array([7, 9], dtype=np.int16),
            "top5": np.tile(np.arange(5, dtype=np.int16), (2, 1)),
        }
        info = ChunkInfo(2, (), "eager", "cpu", 2, "", key, "", 2 * number)
        write_chunk(chunk_path(folder / "records", "", number), columns, info)
    return replace(result, directory=folder)


def rescored(root: Path) -> int:
    return main(["--output-root", str(root), "--rescore"])


def shown(root: Path) -> dict[str, str]:
    table = pd.read_csv(root / "tables" / "results.csv", dtype=str, keep_default_na=False)
    scores = table[table["metric"] == "top1"]
    return dict(zip(scores["key"], scores["value"], strict=True))


@pytest.mark.parametrize("number", [0, 1])
def test_a_run_without_one_of_its_chunks_is_named_and_keeps_its_score(
    tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, lacking = folder_run(tmp_path, "1"), folder_run(tmp_path, "2")
    before = lacking.paths.result.read_bytes()
    chunk = chunk_path(lacking.paths.records, "", number)
    chunk.unlink()
    assert rescored(tmp_path) == 1
    captured = capsys.readouterr()
    assert captured.err == f"warning: not rescored: {chunk}: missing: run the same cell again\n"
    assert lacking.paths.result.read_bytes() == before
    assert shown(tmp_path) == {"1": "0.5", "2": "0.5"}
    failed = read_failure(lacking.paths.error)
    assert failed is not None
    assert failed.error == f"{chunk}: missing: run the same cell again"
    assert not whole.paths.error.exists()


def test_an_extra_chunk_and_one_of_another_run_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [folder_run(tmp_path, key) for key in ("1", "2", "3")]
    others = chunk_path(runs[0].paths.records, "", 1)
    in_place = chunk_path(runs[1].paths.records, "", 1)
    extra = chunk_path(runs[2].paths.records, "", 2)
    copyfile(others, in_place)
    copyfile(others, extra)
    assert rescored(tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": of run ")[0] for line in lines] == [
        f"warning: not rescored: {in_place}",
        f"warning: not rescored: {extra}",
    ]


def test_a_result_with_a_flipped_bit_is_named_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the value of its score, which is still a number."""
    sound, damaged = folder_run(tmp_path, "1"), folder_run(tmp_path, "2")
    text = damaged.paths.result.read_text()
    damaged.paths.result.write_text(text.replace('"value": 0.5', '"value": 0.7'))
    assert damaged.paths.result.read_text() != text
    assert main(["--output-root", str(tmp_path)]) == 0
    assert capsys.readouterr().err == (
        f"warning: {damaged.paths.result}: not used: damaged (its checksum is another); run the "
        "same cell again\n"
    )
    assert shown(tmp_path) == {sound.key: "0.5"}


def test_failures_are_listed_where_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--output-root", str(root), "--failed"]) == 0
    assert capsys.readouterr().out.splitlines() == ["failed: 1", "mynet × imagenet    no weights"]


def test_a_sweep_that_failed_as_a_whole_is_a_list_of_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b", "a"):
        store_failure(failure(name, difference=["attack=pgd_linf"]), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "failed: 2",
        "a × imagenet  attack=pgd_linf  no weights",
        "b × imagenet  attack=pgd_linf  no weights",
    ]
