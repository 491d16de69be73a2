"""Fixtures of all tests: a private cache, a folder with a toy model, the command line on it."""

import subprocess
from pathlib import Path

import pytest
from toys import TOY_MODEL, TOY_MODULE, Cli, command, write_pictures


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
    """Run `oodbench` in the toy folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line, environment = command(toy, *arguments)
        return subprocess.run(
            line, cwd=toy, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run
