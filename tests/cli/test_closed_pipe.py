"""`| head`: no command has a word to say about a reader that stops, nor computes on for nobody."""

import io
import sys
from importlib import import_module
from pathlib import Path

import pytest
from calling import call
from run_factory import store_examples
from toys import arguments_of

SHOWN = ["--cfg", "job", "model=resnet50"]
COMMANDS = [
    ("run", ["--version"]),
    ("run", ["--help"]),
    ("run", SHOWN),
    ("run", arguments_of("model=toy", "preprocessing=timm", "engine=eager", "limit=1")),
    ("run", arguments_of("-m", "model=toy", "preprocessing=timm", "engine=eager", "limit=1")),
    ("cli.probe", ["--help"]),
    ("cli.probe", SHOWN),
    ("cli.table", []),
    ("cli.check", ["--verbose"]),
    ("cli.models", ["list"]),
    ("cli.models", ["check", "resnet50"]),
    ("cli.data", ["demo", "--out", "demo-data"]),
    ("cli.plan", ["model=resnet50", "--no-calibration"]),
]


class Closed(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments"), COMMANDS, ids=lambda value: str(value)[:40])
def test_a_reader_that_stops(
    name: str, arguments: list[str], toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_examples(toy / "outputs")
    main = import_module(f"oodbench.{name}").main

    def closed() -> int | None:
        sys.stdout = Closed()
        code: int | None = main()
        return code

    closed.__module__ = main.__module__
    ended = call(closed, arguments, folder=toy)
    assert ended.returncode == 141
    assert "Broken" not in ended.stderr
    assert "Traceback" not in ended.stderr
