"""`oodbench-submit` without SLURM: what it writes, and what it says."""

from pathlib import Path

import pytest

from oodbench.cli.submit import main

SWEEP = ["model=resnet50,moco_v2", "benchmark=imagenet,imagenet_a", "output_root=out"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dry_run_writes_the_script_and_submits_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([SWEEP[0], "-m", "--dry-run", "--partition", "gpu", *SWEEP[1:]]) == 0
    script = Path(capsys.readouterr().out.strip())
    assert script.is_relative_to(here / "out" / "sweeps" / "submitted")
    assert "#SBATCH --array=0-1%32" in script.read_text()
    assert not list((here / "out" / "sweeps").glob("*.json"))


def test_where_there_is_no_slurm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(SWEEP) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: sbatch: not found: submit ")
    assert "array.sh where SLURM is" in said


def test_what_sbatch_refuses_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = here / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert main(SWEEP) == 1
    assert "sbatch refuses it: sbatch: error: invalid partition" in capsys.readouterr().err


def test_a_wrong_override_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model=nothing_of_this_name"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
