"""Whole runs on a CUDA device: the CPU's predictions, the same bytes again, two at once."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toys import Cli, command

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
COMMON = ("model=toy", "benchmark=imagenet")


def folder(root: Path) -> Path:
    (found,) = root.glob("runs/imagenet/toy/*")
    return found


def records(root: Path) -> pd.DataFrame:
    return pd.read_parquet(folder(root) / "records")


def session(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder(root) / "run.json").read_text())["sessions"][-1]
    return found


@pytest.mark.parametrize("engine", ["auto", "cuda_graphs", "eager"])
@pytest.mark.parametrize("loader", ["threads", "processes"])
def test_predictions_are_the_cpus(engine: str, loader: str, toy: Path, cli: Cli) -> None:
    assert cli(*COMMON, "engine=eager", "engine.device=cpu", "output_root=a").returncode == 0
    gpu = (f"engine={engine}", f"engine.device={DEVICE}", f"data.loader={loader}")
    found = cli(*COMMON, *gpu, "engine.batch_size=4", "output_root=b")
    assert found.returncode == 0, found.stdout + found.stderr
    ours, theirs = records(toy / "b"), records(toy / "a")
    assert ours["prediction"].tolist() == theirs["prediction"].tolist()
    assert ours["confidence"].tolist() == pytest.approx(theirs["confidence"].tolist(), abs=1e-4)
    assert session(toy / "b")["device"] == DEVICE


def test_the_batch_is_chosen(toy: Path, cli: Cli) -> None:
    found = cli(*COMMON, f"engine.device={DEVICE}")
    assert found.returncode == 0, found.stdout + found.stderr
    size = session(toy / "outputs")["batch_size"]
    assert size & (size - 1) == 0
    assert size >= 256  # of pictures of 224 x 224 that a toy network fits


def test_a_run_that_is_gone_on_with_has_the_same_bytes(toy: Path, cli: Cli) -> None:
    small = ("benchmark.chunk_size=8", "engine.batch_size=4", f"engine.device={DEVICE}")
    assert cli(*COMMON, *small, "output_root=a").returncode == 0
    for limit in ("limit=16", "limit=null"):
        assert cli(*COMMON, *small, limit, "output_root=b").returncode == 0
    files = sorted(path.name for path in (folder(toy / "a") / "records").rglob("*.parquet"))
    assert len(files) > 1
    for name in files:
        ours, theirs = (next(folder(toy / side).rglob(name)) for side in ("a", "b"))
        assert ours.read_bytes() == theirs.read_bytes()


def test_two_processes_on_one_device(toy: Path) -> None:
    started = []
    for index in range(2):
        shard = (f"shard.index={index}", "shard.count=2", "benchmark.chunk_size=8")
        line, environment = command(toy, *COMMON, *shard, f"engine.device={DEVICE}")
        process = subprocess.Popen(
            line, cwd=toy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
    said = [process.communicate(timeout=300)[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert len(records(toy / "outputs")) == 60
