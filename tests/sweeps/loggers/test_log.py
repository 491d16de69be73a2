"""What is logged of a run, in a table; and that a logger never fails a run."""

import csv
import json
import logging
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from run_factory import run_result, score, store
from toys import Cli

from oodbench.core.shipped import shipped_content
from oodbench.runs.results import RunResult, read_result
from oodbench.sweeps.loggers.base import Logged, logged
from oodbench.sweeps.loggers.log import log_result

USUAL = ("model=toy", "preprocessing=timm", "engine=eager", "engine.batch_size=4")


def stored(root: Path, **changed: Any) -> RunResult:
    """A result on disk, read."""
    folder = store(run_result(**changed), root)
    (folder / "key.json").write_text("{}")
    result = read_result(folder / "result.json")
    assert result is not None
    return result


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def csv_node(root: Path) -> dict[str, str]:
    target = "oodbench.sweeps.loggers.csv_file.CSVLogger"
    return {"name": "csv", "_target_": target, "file": str(root / "log.csv")}


def test_scores_by_name(tmp_path: Path) -> None:
    result = stored(tmp_path, scores={"top1": score(0.5, 0.4, 0.6), "mce": score(math.nan)})
    found = logged(result)
    expected = {"n_images": 10, "top1": 0.5, "top1_low": 0.4, "top1_high": 0.6}
    assert found.scores == expected
    assert found.name == "resnet50 × imagenet"
    assert [file.name for file in found.files] == ["result.json", "key.json"]


def test_identity_is_of_the_run_and_not_of_its_numbers(tmp_path: Path) -> None:
    def identity(**changed: Any) -> str:
        return logged(run_result(**changed)).identity

    assert identity() == identity(scores={"top1": score(0.1)}, n_images=3)
    others = [{"key": "0" * 12}, {"benchmark": "imagenet_real"}, {"model": "mynet"}]
    assert len({identity(), *(identity(**changed) for changed in others)}) == 4


def test_a_run_has_one_row_however_often_it_is_logged(tmp_path: Path) -> None:
    for value, model in ((0.5, "a"), (0.5, "a"), (0.25, "b"), (0.75, "a")):
        log_result(csv_node(tmp_path), stored(tmp_path, model=model, scores={"top1": score(value)}))
    found = {row["model"]: row for row in rows(tmp_path / "log.csv")}
    assert len(rows(tmp_path / "log.csv")) == 2
    assert float(found["a"]["top1"]) == 0.75
    assert float(found["b"]["top1"]) == 0.25


def test_columns_are_those_of_all_runs(tmp_path: Path) -> None:
    odd = {"preprocessing": {"name": 'a,"b"\nc'}}
    log_result(csv_node(tmp_path), stored(tmp_path, config=odd))
    other = stored(tmp_path, benchmark="cue_conflict", scores={"shape_bias": score(0.2)})
    log_result(csv_node(tmp_path), other)
    first, second = rows(tmp_path / "log.csv")
    assert (first["shape_bias"], first["top1"]) == ("", "0.5")
    assert (second["shape_bias"], second["top1"]) == ("0.2", "")
    assert json.loads(first["config"]) == {"preprocessing.name": 'a,"b"\nc'}
    assert Path(second["result"]) == other.paths.result.resolve()


def test_none_logs_nothing(tmp_path: Path) -> None:
    log_result({"name": "none"}, stored(tmp_path))
    assert not (tmp_path / "log.csv").exists()


class Failing:
    """A logger whose server is away."""

    def __init__(self, *, message: str) -> None:
        self.message = message

    def log(self, run: Logged) -> None:
        print("chatter")
        raise ConnectionError(self.message)


def test_what_goes_wrong_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    node = {"name": "mine", "_target_": f"{__name__}.Failing", "message": "away\nand more"}
    log_result(node, stored(tmp_path))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "logger=mine: resnet50 × imagenet is not logged: " in record.getMessage()
    assert len(record.getMessage().splitlines()) == 1
    assert capsys.readouterr().out == ""


def test_a_wrong_argument_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log_result({**csv_node(tmp_path), "files": "x"}, stored(tmp_path))
    assert "unknown key logger.files" in caplog.text


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("mlflow", "MLflow is not installed: pip install"),
        ("wandb", "wandb is not installed: in the"),
    ],
)
def test_a_library_that_is_not_there(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    said: str,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    content = OmegaConf.create(
        {"output_root": str(tmp_path), "logger": shipped_content("logger", library)}
    )
    node: Any = OmegaConf.to_container(content, resolve=True)
    log_result(node["logger"], stored(tmp_path))
    assert said in caplog.text


def test_the_command_logs_each_run_once_and_never_changes_its_key(toy: Path, cli: Cli) -> None:
    assert cli(*USUAL, "limit=2").returncode == 0
    (key,) = [path.name for path in (toy / "outputs/runs/imagenet/toy").iterdir()]
    file = toy / "outputs" / "log.csv"
    assert cli(*USUAL, "limit=2", "logger=csv").returncode == 0  # done, and not logged yet
    assert [row["key"] for row in rows(file)] == [key]
    assert cli(*USUAL, "limit=9", "logger=csv").returncode == 0  # resumed
    (row,) = rows(file)
    assert (row["key"], float(row["n_images"])) == (key, 9)
    done = cli("-m", *USUAL, "limit=9", "logger=csv", "seed=0,1", "logger.file=/dev/null/log.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is not logged") == 2
