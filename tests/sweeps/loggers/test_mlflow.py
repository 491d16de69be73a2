"""MLflow: its own server with an SQLite store on the loopback, and its own client."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from run_factory import run_result, score, store

from oodbench.runs.results import RunResult, read_result
from oodbench.sweeps.loggers.log import log_result

NEEDED = ("mlflow", "flask", "sqlalchemy", "alembic")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(find_spec, NEEDED)),
        reason="MLflow asks for a newer requests than torchattacks, so it is among no extra: "
        "pip install 'mlflow>=3' after everything else",
    ),
    pytest.mark.filterwarnings("ignore"),  # those of MLflow and its dependencies, on import
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that ends with the tests."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = ["--backend-store-uri", "sqlite:///runs.db", "--artifacts-destination", "files"]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--workers", "1", *options],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    try:
        _wait_for(f"{address}/health", process, folder / "log")
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def stored(root: Path, value: float, **changed: Any) -> RunResult:
    config = {"model": {"mean": [0.5, 0.5, 0.5], "odd": "x" * 900}, "seed": 3}
    scores = {"": {"top1": score(value, 0.4, 0.6)}, "fog/3": {"top1": score(0.25)}}
    made = run_result(config=config, **changed)
    folder = store(made.__class__(**{**vars(made), "scores": scores}), root)
    (folder / "key.json").write_text("{}")
    result = read_result(folder / "result.json")
    assert result is not None
    return result


def log(address: str | None, result: RunResult) -> None:
    target = "oodbench.sweeps.loggers.mlflow.MLflowLogger"
    node = {"name": "mlflow", "_target_": target, "tracking_uri": address, "experiment": "o'd"}
    log_result(node, result)


def runs_of(address: str) -> tuple[Any, list[Any]]:
    from mlflow import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("o'd")
    return client, list(client.search_runs([experiment.experiment_id]))


def test_runs_are_logged_once_and_brought_up_to_date(
    server: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = dict(os.environ)
    log(server, stored(tmp_path, 0.5))
    client, (run,) = runs_of(server)
    assert run.data.metrics == {
        **{"n_images": 10, "top1": 0.5, "top1_low": 0.4, "top1_high": 0.6},
        "fog/3/top1": 0.25,
    }
    assert run.data.params["model.mean"] == "[0.5, 0.5, 0.5]"
    assert run.data.params["model.odd"] == "x" * 500
    assert run.data.tags["oodbench.key"] == "000000000001"
    assert run.info.run_name == "resnet50 × imagenet"
    assert run.info.status == "FINISHED"
    names = [file.path for file in client.list_artifacts(run.info.run_id)]
    assert sorted(names) == ["key.json", "result.json"]

    log(server, stored(tmp_path, 0.5))
    log(server, stored(tmp_path, 0.75, status="partial"))  # resumed with more pictures
    _, (again,) = runs_of(server)
    assert again.info.run_id == run.info.run_id
    assert again.data.metrics["top1"] == 0.75
    assert again.data.tags["oodbench.status"] == "partial"
    assert len(client.get_metric_history(run.info.run_id, "top1")) == 2

    log(server, stored(tmp_path, 0.1, model="mynet"))
    assert len(runs_of(server)[1]) == 2
    assert not [record for record in caplog.records if record.name == "oodbench"]
    assert capsys.readouterr().out == ""
    assert dict(os.environ) == before


def test_a_server_that_is_away_costs_seconds_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        begun = time.monotonic()
        log(address, stored(tmp_path, 0.5))
    assert time.monotonic() - begun < 60
    (record,) = [record for record in caplog.records if record.name == "oodbench"]
    assert "logger=mlflow: resnet50 × imagenet is not logged" in record.getMessage()
