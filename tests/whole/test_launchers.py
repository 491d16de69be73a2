"""Other launchers than Hydra's own: their sweeps end in the bytes of the single-process sweep."""

import subprocess
import sys
from pathlib import Path

import pytest
from demo_sweep import ALONE, SWEEP
from run_bytes import run_bytes
from toys import TOY_MODEL, Cli

from oodbench.cli.status import main as status

TWO_WORKERS = {
    "hydra_joblib_launcher": ("hydra/launcher=processes", "hydra.launcher.n_jobs=2"),
    "hydra_ray_launcher": ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("package", TWO_WORKERS)
def test_two_workers_compute_the_demo(
    demo: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    pytest.importorskip(f"hydra_plugins.{package}", reason="its extra is not installed")
    monkeypatch.chdir(demo)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = (sys.executable, "-m", "oodbench.run", *SWEEP, *TWO_WORKERS[package])
    done = subprocess.run(
        [*command, f"output_root={package}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "21 done, 0 failed" in done.stdout
    assert run_bytes(Path(package)) == run_bytes(Path(ALONE))
    assert status(["--output-root", package]) == 0


@pytest.mark.slow
def test_a_process_a_job(
    toy: Path, process: Cli, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As submitit starts them on SLURM, too."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    (toy / "my_conf" / "model" / "toy_b.yaml").write_text(
        TOY_MODEL.replace("name: toy", "name: toy_b")
        .replace("toy_network.Toy", "toy_network.Toy\n  seed: 1")
        .replace("toy-v1", "toy-b-v1")
    )
    sweep = ("-m", "model=toy,toy_b", "preprocessing=timm")
    done = process(*sweep, "hydra/launcher=submitit_local", "output_root=launched")
    assert done.returncode == 0, done.stderr
    assert "2 done, 0 failed" in done.stdout
    assert cli(*sweep, "output_root=alone").returncode == 0
    assert len(list((toy / "alone" / "runs").rglob("result.json"))) == 2
    assert run_bytes(toy / "launched") == run_bytes(toy / "alone")
    monkeypatch.chdir(toy)
    assert status(["--output-root", "launched"]) == 0
