"""A real SLURM: a job array that is disturbed in every usual way ends in the same bytes."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_sweep import ALONE, MODELS, SWEEP
from run_bytes import run_bytes
from slurm_cluster import cluster, missing_programs

from oodbench.cli.status import main as status
from oodbench.cli.table import main as table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_programs()), reason="SLURM is not installed here"),
]

OUTPUTS = "array"


@pytest.fixture
def slurm() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, cluster(Path(folder)) as found:
        yield {**found, "OMP_NUM_THREADS": "1"}


def wait_for(what: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def n_clips(model: str) -> int:
    """Of ImageNet-P, one a chunk; three benchmarks come before it in a task, three after it."""
    return len(list(Path(OUTPUTS, "runs", "imagenet_p", model).rglob("*.parquet")))


def process_of(model: str) -> int:
    """Which computes a cell of it."""
    files = Path(OUTPUTS, "sweeps", "jobs").glob("*.json")
    jobs = [json.loads(file.read_text()) for file in files]
    (pid,) = [
        job["owner"]["pid"]
        for job in jobs
        if job["state"] == "running" and f"model={model}" in job["overrides"]
    ]
    return int(pid)


def parent(pid: int) -> int:
    found = re.search(r"^PPid:\s*(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_disturbed_array_ends_in_the_same_bytes(
    demo: Path,
    slurm: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three tasks, of which two run at once; each computes a model on the seven benchmarks."""
    monkeypatch.chdir(demo)

    def ask(*command: str) -> str:
        done = subprocess.run(
            command, env=slurm, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def submit() -> int:
        options = ("--gpus", "0", "--cpus", "1", "--mem", "0", "--sbatch=--oversubscribe")
        command = (sys.executable, "-m", "oodbench.cli.submit", *options, *SWEEP)
        said = ask(*command, f"output_root={OUTPUTS}")
        return int(said.split(";")[0].split()[-1])

    def in_queue(states: str = "PD,R,CG") -> list[str]:
        return ask("squeue", "-h", "-r", f"--states={states}", "-o", "%K").split()

    def standing(model: str) -> dict[str, int]:
        """How many of its seven cells are in which state."""
        status(["--output-root", OUTPUTS, "--json", "-"])
        jobs = json.loads(capsys.readouterr().out)["jobs"]
        return Counter(job["state"] for job in jobs if f"model={model}" in job["overrides"])

    array = submit()
    wait_for(lambda: n_clips(MODELS[0]))
    assert standing(MODELS[0]) == {"done": 3, "running": 1, "missing": 3}
    assert standing(MODELS[2]) == {"missing": 7}  # it waits for a core
    assert in_queue("PD") == ["2"]

    ask("scancel", f"{array}_0")
    wait_for(lambda: n_clips(MODELS[1]))
    task = parent(process_of(MODELS[1]))
    assert Path(f"/proc/{parent(task)}/comm").read_text() == "slurmstepd\n"
    os.kill(task, signal.SIGKILL)
    wait_for(lambda: in_queue() == ["2"])
    assert standing(MODELS[0]) == {"done": 3, "stopped": 1, "missing": 3}
    assert standing(MODELS[1]) == {"done": 3, "lost": 1, "missing": 3}

    wait_for(lambda: n_clips(MODELS[2]))
    ask("scancel", "--batch", "--signal=USR1", f"{array}_2")  # as before its time is over
    wait_for(lambda: in_queue("PD") == ["2"])
    kept = n_clips(MODELS[2])
    assert standing(MODELS[2]) == {"done": 3, "stopped": 1, "missing": 3}
    wait_for(lambda: not in_queue())
    assert standing(MODELS[2]) == {"done": 7}
    log = next(Path(OUTPUTS, "sweeps", "submitted").iterdir()) / "2.log"
    left = rf"{MODELS[2]} × imagenet_p.*: {10 - kept} clips? to evaluate"
    assert re.search(left, log.read_text()) is not None

    assert status(["--output-root", OUTPUTS]) == 1
    assert "21 jobs: 13 done, 1 stopped, 1 lost, 6 missing" in capsys.readouterr().out
    submit()
    wait_for(lambda: not in_queue())
    assert status(["--output-root", OUTPUTS]) == 0
    assert "21 jobs: 21 done" in capsys.readouterr().out
    assert run_bytes(Path(OUTPUTS)) == run_bytes(Path(ALONE))
    shown = []
    for root in (OUTPUTS, ALONE):
        assert table(["--output-root", root, "--format", "json"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert len(json.loads(shown[0])["cells"]) == 21
