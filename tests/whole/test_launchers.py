"""Other launchers than Hydra's own: their sweeps end in the bytes of the single-process sweep."""

from pathlib import Path

import pytest
from run_bytes import run_bytes
from toys import TOY_MODEL, Cli

from oodbench.cli.status import main as status

SWEEP = ("-m", "model=toy,toy_b", "preprocessing=timm")
LAUNCHERS = {
    "hydra_joblib_launcher": ("hydra/launcher=processes", "hydra.launcher.n_jobs=2"),
    "hydra_submitit_launcher": ("hydra/launcher=submitit_local",),
    "hydra_ray_launcher": ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("package", LAUNCHERS)
def test_the_same_bytes(
    toy: Path, process: Cli, cli: Cli, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    pytest.importorskip(f"hydra_plugins.{package}")
    (toy / "my_conf" / "model" / "toy_b.yaml").write_text(
        TOY_MODEL.replace("name: toy", "name: toy_b")
        .replace("toy_network.Toy", "toy_network.Toy\n  seed: 1")
        .replace("toy-v1", "toy-b-v1")
    )
    done = process(*SWEEP, *LAUNCHERS[package], "output_root=launched")
    assert done.returncode == 0, done.stderr
    assert "2 done, 0 failed" in done.stdout
    assert cli(*SWEEP, "output_root=alone").returncode == 0
    assert len(list((toy / "alone" / "runs").rglob("result.json"))) == 2
    assert run_bytes(toy / "launched") == run_bytes(toy / "alone")
    monkeypatch.chdir(toy)
    assert status(["--output-root", "launched"]) == 0
