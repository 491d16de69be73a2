"""A real SLURM: a job array that is disturbed in every usual way ends in the same bytes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_bytes import run_bytes
from slurm_cluster import cluster, missing_programs
from toys import TOY_MODEL, Cli, write_pictures

from oodbench.cli.status import main as status

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_programs()), reason="SLURM is not installed here"),
]

SLOW = """

class Slow(Toy):
    def forward(self, x):
        import time
        time.sleep(0.12)
        return super().forward(x)
"""
MODELS = ("toy", "toy_b", "toy_c")
SWEEP = (
    f"model={','.join(MODELS)}",
    "benchmark=imagenet,imagenet_sketch",
    *("preprocessing=timm", "engine=eager", "engine.batch_size=4", "benchmark.chunk_size=10"),
)


@pytest.fixture
def slurm() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, cluster(Path(folder)) as found:
        yield found


@pytest.fixture
def sweep(toy: Path) -> Path:
    """Three models, which differ, and two benchmarks; each run takes four seconds."""
    (toy / "toy_network.py").write_text((toy / "toy_network.py").read_text() + SLOW)
    for number, name in enumerate(MODELS):
        text = TOY_MODEL.replace("name: toy", f"name: {name}")
        text = text.replace("toy_network.Toy", f"toy_network.Slow\n  seed: {number}")
        text = text.replace("toy-v1", f"{name}-v1")
        (toy / "my_conf" / "model" / f"{name}.yaml").write_text(text)
    write_pictures(toy / "data" / "imagenet-sketch", per_class=11, size=44)
    return toy


def wait_for(what: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_disturbed_array_ends_in_the_same_bytes(
    sweep: Path,
    slurm: dict[str, str],
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(sweep)
    environment = {**slurm, "PYTHONPATH": str(sweep), "OMP_NUM_THREADS": "1"}

    def ask(*command: str) -> str:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def submit() -> int:
        options = ("--gpus", "0", "--cpus", "1", "--mem", "0", "--sbatch=--oversubscribe")
        data = ("data.root=data", "data.allow_partial=true", "output_root=array")
        said = ask(
            *(sys.executable, "-m", "oodbench.cli.submit", *options, "--config-dir", "my_conf"),
            *(*data, *SWEEP),
        )
        return int(said.split(";")[0].split()[-1])

    def chunks(model: str) -> int:
        return len(list((sweep / "array" / "runs" / "imagenet" / model).rglob("all-*.parquet")))

    def in_queue(states: str = "PD,R,CG") -> str:
        return ask("squeue", "-h", "-r", f"--states={states}", "-o", "%F_%K")

    array = submit()
    wait_for(lambda: chunks("toy"))
    ask("scancel", f"{array}_0")
    wait_for(lambda: chunks("toy_b"))
    jobs = (sweep / "array" / "sweeps" / "jobs").glob("*.json")
    running = [json.loads(job.read_text()) for job in jobs]
    pid = next(one["owner"]["pid"] for one in running if one["cell"].startswith("toy_b"))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: chunks("toy_c"))
    ask("scancel", "--batch", "--signal=USR1", f"{array}_2")
    wait_for(lambda: in_queue("PD").split() == [f"{array}_2"])  # again, and no other task
    ask("scancel", f"{array}_2")  # SLURM would wait for two minutes
    wait_for(lambda: not in_queue())

    assert status(["--output-root", "array"]) == 1
    said = capsys.readouterr().out
    assert "6 jobs: 3 lost, 3 missing" in said
    log = next((sweep / "array" / "sweeps" / "submitted").iterdir()) / "2.log"
    assert "interrupted: what was computed is kept" in log.read_text()
    submit()
    wait_for(lambda: not in_queue())
    assert status(["--output-root", "array"]) == 0
    assert "6 jobs: 6 done" in capsys.readouterr().out
    assert cli("-m", *SWEEP, "output_root=alone").returncode == 0
    assert run_bytes(sweep / "array") == run_bytes(sweep / "alone")
