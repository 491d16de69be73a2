"""Small trainings: synthetic features, configs composed in this process, the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from calling import call
from hydra import compose, initialize_config_module
from numpy.typing import NDArray
from omegaconf import OmegaConf

from oodbench.cli.probe import main
from oodbench.probe.features import FeatureSource, StoredFeatures
from oodbench.probe.processes import Processes
from oodbench.probe.schema import ProbeConfig, RecipeConfig, register_probe_schema, validate_probe
from oodbench.probe.training import Trainer, TrainingState, initial_state
from oodbench.sweeps.composing import register_all

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
COMMON = ("--config-dir", "my_conf", "model=toy", "data.root=data")
ALONE = Processes(rank=0, world=1, device=CPU)


def recipe(name: str, **changed: Any) -> RecipeConfig:
    """A shipped recipe."""
    shipped = OmegaConf.load(ROOT / "conf" / "recipe" / f"{name}.yaml")
    node = OmegaConf.merge(OmegaConf.structured(RecipeConfig), shipped, changed)
    made = OmegaConf.to_object(node)
    assert isinstance(made, RecipeConfig)
    return made


def synthetic(n: int, dimension: int, n_classes: int, seed: int = 0) -> StoredFeatures:
    """Clusters that overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    centres = rng.normal(size=(n_classes, dimension))
    features: NDArray[np.float32] = (centres[labels] + rng.normal(size=(n, dimension))).astype(
        np.float32
    )
    return StoredFeatures(features, labels, CPU)


def fresh(known: StoredFeatures, used: RecipeConfig, n_classes: int) -> TrainingState:
    return initial_state(known.features.shape[1], n_classes, used, seed=0, device=CPU)


def trainer(
    used: RecipeConfig,
    source: FeatureSource,
    n: int,
    val: StoredFeatures,
    *,
    after_step: Callable[[TrainingState], None] = lambda state: None,
    stop_asked: Callable[[], bool] = lambda: False,
) -> Trainer:
    return Trainer(
        recipe=used,
        source=source,
        n=n,
        val=val,
        seed=0,
        processes=ALONE,
        after_step=lambda state, _: after_step(state),
        after_epoch=lambda state: None,
        stop_asked=stop_asked,
    )


def composed(*overrides: str) -> ProbeConfig:
    register_all()
    register_probe_schema()
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return validate_probe(compose("probe", overrides=list(overrides)))


def started(
    folder: Path, *arguments: str, launcher: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """`oodbench-probe` in that folder with its toy configs, in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    line = [sys.executable, *launcher, "-m", "oodbench.cli.probe", *COMMON, *arguments]
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same, called."""
    return call(main, [*COMMON, *arguments], folder=folder)


def read_head(path: Path) -> dict[str, torch.Tensor]:
    content = torch.load(path, weights_only=True)
    tensors: dict[str, torch.Tensor] = content["state_dict"]
    return tensors
