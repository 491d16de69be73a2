"""`oodbench-status` after a sweep: counts, failures, and commands that finish it."""

import json
import shlex
from pathlib import Path

import pytest
from toys import Cli, write_pictures

from oodbench.cli.status import main
from oodbench.run import main as run_main

SWEEP = ("-m", "model=toy", "benchmark=imagenet,imagenet_sketch", "preprocessing=timm")


@pytest.fixture
def swept(toy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of which one job has failed, for want of data."""
    assert cli(*SWEEP).returncode == 1
    monkeypatch.chdir(toy)
    return toy


@pytest.mark.slow
def test_what_failed_is_told_and_run_again(
    swept: Path, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 1
    said = capsys.readouterr().out
    assert "2 jobs: 1 done, 1 failed" in said
    assert "  toy × imagenet_sketch preprocessing=timm: data/imagenet-sketch: no such" in said
    assert main(["--failed", "--retry"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert shlex.split(line) == [
        *("oodbench", "-m", "--config-dir", "my_conf", "data.root=data"),
        *("data.allow_partial=True", "model=toy", "benchmark=imagenet_sketch"),
        "preprocessing=timm",
    ]
    write_pictures(swept / "data" / "imagenet-sketch", per_class=2)
    from calling import call

    assert call(run_main, shlex.split(line)[1:], folder=swept).returncode == 0
    capsys.readouterr()
    assert main(["--list"]) == 0  # the retry is a sweep of its own, and part of the first
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "1 job: 1 done",
        "2 jobs: 2 done",
    ]
    assert main(["--retry"]) == 0
    assert capsys.readouterr().out == "nothing is left to do\n"


def test_json_and_a_sweep_by_its_first_digits(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [job["state"] for job in found["jobs"]] == ["done", "failed"]
    assert main(["--sweep", found["sweep"][:4]]) == 1
    assert found["sweep"] in capsys.readouterr().out
    assert main(["--sweep", "zz"]) == 1
    assert "no sweep that begins with zz" in capsys.readouterr().err


def test_no_sweep_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output-root", str(tmp_path)]) == 1
    assert "no sweep below" in capsys.readouterr().err
