"""Fixtures of all tests: a private cache, a folder with a toy model, the command line on it."""

import subprocess
from pathlib import Path

import pytest
from toys import FRAGILE_MODULE, TOY_MODEL, TOY_MODULE, Cli, arguments_of, command, write_pictures

pytest_plugins = ["demo_sweep", "gpu_marks", "slow_marks", "thrift"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("OODBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with the toy model's code and `my_conf`, pictures below `data/imagenet/val`."""
    (tmp_path / "toy_network.py").write_text(TOY_MODULE)
    (tmp_path / "my_conf" / "model").mkdir(parents=True)
    (tmp_path / "my_conf" / "model" / "toy.yaml").write_text(TOY_MODEL)
    write_pictures(tmp_path / "data" / "imagenet" / "val", per_class=12)
    return tmp_path


@pytest.fixture
def cli(toy: Path) -> Cli:
    """Call `oodbench` in the toy folder, as `process` runs it."""
    # Both import torch, which few of the tests need.
    from calling import call

    from oodbench.run import main

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return call(main, arguments_of(*arguments), folder=toy)

    return run


@pytest.fixture
def process(toy: Path) -> Cli:
    """Run `oodbench` in the toy folder, in a process of its own: seconds slower than `cli`."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line, environment = command(toy, *arguments)
        return subprocess.run(
            line, cwd=toy, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run


@pytest.fixture
def probe_toy(toy: Path) -> Path:
    """The toy folder with a training tree and the model `fragile`."""
    write_pictures(toy / "data" / "imagenet" / "train", per_class=12, size=44)
    (toy / "fragile_network.py").write_text(FRAGILE_MODULE)
    fragile = TOY_MODEL.replace("name: toy", "name: fragile").replace(
        "toy_network.Toy", "fragile_network.Fragile"
    )
    (toy / "my_conf" / "model" / "fragile.yaml").write_text(fragile)
    return toy
