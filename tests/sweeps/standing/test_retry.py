"""The commands of a retry have exactly the jobs that they were asked for, as Hydra expands them."""

from itertools import product
from pathlib import Path

import pytest

from oodbench.sweeps.jobs import jobs
from oodbench.sweeps.standing.definition import Sweep, sweep_of
from oodbench.sweeps.standing.retry import commands

MODELS = ["resnet50", "moco_v2", "tf_efficientnet_b0_ns"]
BENCHMARKS = ["imagenet", "imagenet_a", "imagenet_c"]


def sweep() -> Sweep:
    return sweep_of(["model=a,b"], [])


def expanded(lines: list[list[str]]) -> list[tuple[str, ...]]:
    """Overrides of the jobs of all command lines, by Hydra's own sweeper."""
    found = []
    for option, *overrides in lines:
        assert option == "-m"
        found += [tuple(job) for job in jobs(overrides, multirun=True)]
    return found


@pytest.mark.parametrize(
    ("left", "n_lines"),
    [
        ([("resnet50", "imagenet")], 1),
        (list(product(MODELS, BENCHMARKS)), 1),
        (list(product(MODELS, BENCHMARKS))[1:], 2),
        ([("resnet50", "imagenet"), ("moco_v2", "imagenet_a")], 2),
        ([(model, "imagenet") for model in MODELS] + [("moco_v2", "imagenet_c")], 2),
    ],
    ids=["one", "all", "all but one", "a diagonal", "an L"],
)
def test_exactly_these_jobs(left: list[tuple[str, str]], n_lines: int) -> None:
    wanted = [(f"model={model}", f"benchmark={benchmark}", "seed=1") for model, benchmark in left]
    lines = commands(sweep(), wanted)
    assert len(lines) == n_lines
    assert sorted(expanded(lines)) == sorted(wanted)


def test_values_that_hydra_reads_otherwise_are_not_joined() -> None:
    wanted = [
        ("model=resnet50", "model.std=[0.1,0.2,0.3]"),
        ("model=resnet50", "model.std=[0.5,0.5,0.5]"),
    ]
    assert len(commands(sweep(), wanted)) == 2


def test_the_launcher_and_the_config_folder_are_kept() -> None:
    kept = sweep_of(["model=a"], [], hydra=["hydra/launcher=joblib"], config_dir=Path("my conf"))
    assert commands(kept, [("model=a",)]) == [
        ["-m", "--config-dir", "my conf", "hydra/launcher=joblib", "model=a"]
    ]
    assert commands(kept, []) == []
