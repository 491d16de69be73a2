"""A job that fails says all about it, and stops the others where it is asked to."""

import json
from pathlib import Path

import pytest
from toys import Cli

SWEEP = ("-m", "model=toy", "benchmark=imagenet_a,imagenet", "preprocessing=timm")


@pytest.mark.slow
def test_error_json_says_all(toy: Path, cli: Cli) -> None:
    assert cli(*SWEEP).returncode == 1
    (file,) = (toy / "outputs" / "runs").rglob("error.json")
    attempt = json.loads(file.read_text())["attempt"]
    assert (attempt["cause"], attempt["type"]) == ("mistake", "DataError")
    assert "in find_data" in attempt["traceback"]
    assert attempt["config"]["benchmark"]["name"] == "imagenet_a"
    assert attempt["host"]
    assert attempt["time"].endswith("+00:00")


def test_other_jobs_are_left_where_that_is_asked_for(toy: Path, cli: Cli) -> None:
    done = cli(*SWEEP, "on_failure=stop")
    assert done.returncode == 1
    assert "2 jobs in" in done.stdout
    assert "1 left, 1 failed" in done.stdout
    assert "on_failure=stop" in done.stderr
    assert not list((toy / "outputs" / "runs").rglob("result.json"))


def test_on_failure_takes_two_values(cli: Cli) -> None:
    done = cli("model=toy", "on_failure=never")
    assert done.returncode == 1
    assert "on_failure=never: available: continue, stop" in done.stderr
