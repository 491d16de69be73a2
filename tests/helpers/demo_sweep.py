"""The demo sweep, three real models on the seven published benchmarks, with very few pictures."""

from pathlib import Path

import pytest

from oodbench.core.files import locked

MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
N_CELLS = 21

SWEEP = ("experiment=demo", "limit=1")
"""One picture or clip of each split: the fewest there may be."""

ALONE = "alone"
"""Output root of the sweep that one process has computed, the bytes that others are to end in."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with `demo-data`, made and measured once for all processes that run tests."""
    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "demo-sweep"
    with locked(folder):
        if not folder.exists():
            _prepare(tmp_path_factory.mktemp("demo")).rename(folder)
    return folder


def _prepare(folder: Path) -> Path:
    # Both import torch, which few of the tests need.
    from calling import call

    from oodbench.cli.data import main as data
    from oodbench.run import main as run

    commands = ((data, ["demo"]), (run, [*SWEEP, f"output_root={ALONE}"]))
    for main, arguments in commands:
        done = call(main, arguments, folder=folder, OODBENCH_CACHE=str(folder / "cache"))
        assert done.returncode == 0, done.stderr
    return folder
