"""Weights & Biases, offline: what its own library writes for `wandb sync` to send."""

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from run_factory import run_result, score, store
from wandb.proto import wandb_internal_pb2

from oodbench.runs.results import RunResult, read_result
from oodbench.sweeps.loggers.log import log_result

_BLOCK = 32768
_HEADER = 7
_FULL, _LAST = 1, 4


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def logged(root: Path, value: float) -> RunResult:
    folder = store(run_result(scores={"top1": score(value)}, config={"seed": 3}), root)
    (folder / "key.json").write_text("{}")
    result = read_result(folder / "result.json")
    assert result is not None
    target = "oodbench.sweeps.loggers.wandb.WandbLogger"
    log_result({"name": "wandb", "_target_": target, "project": "p", "dir": str(root)}, result)
    return result


def folders(root: Path) -> list[Path]:
    return sorted((root / "wandb").glob("offline-run-*"))


def written(folder: Path) -> list[Any]:
    """The records of a run's file, once the process that writes it has written the last one."""
    for _ in range(200):
        records = read(folder)
        if records and records[-1].WhichOneof("record_type") == "exit":
            return records
        time.sleep(0.05)
    raise AssertionError(folder)


def read(folder: Path) -> list[Any]:
    """After a header of 7 bytes, LevelDB's log format."""
    (file,) = folder.glob("*.wandb")
    content = file.read_bytes()
    found, parts, place = [], b"", 7
    while place + _HEADER <= len(content):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if place + _HEADER + length > len(content):
            break
        parts += content[place + _HEADER : place + _HEADER + length]
        place += _HEADER + length
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            found.append(record)
            parts = b""
    return found


def run_of(records: list[Any]) -> Any:
    (run,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    return run


def summary_of(records: list[Any]) -> dict[str, Any]:
    return {
        item.key or item.nested_key[0]: json.loads(item.value_json)
        for record in records
        for item in record.summary.update
    }


def test_a_run_is_logged_once_and_again_where_its_result_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    result = logged(tmp_path, 0.5)
    assert not [record for record in caplog.records if record.name == "oodbench"]
    (folder,) = folders(tmp_path)
    records = written(folder)
    run = run_of(records)
    assert run.run_id == "000000000001-" + run.run_id[-8:]
    assert (run.project, run.display_name) == ("p", "resnet50 × imagenet")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (config["model"], config["seed"], config["key"]) == ("resnet50", "3", result.key)
    summary = summary_of(records)
    assert (summary["top1"], summary["n_images"]) == (0.5, 10)
    assert (folder / "files/result.json").read_bytes() == result.paths.result.read_bytes()

    logged(tmp_path, 0.5)
    assert folders(tmp_path) == [folder]
    time.sleep(1)  # the library names folders by the second
    logged(tmp_path, 0.75)
    newest = written(folders(tmp_path)[-1])
    assert {run_of(newest).run_id} == {run.run_id}
    assert summary_of(newest)["top1"] == 0.75
    assert capsys.readouterr().out == ""
