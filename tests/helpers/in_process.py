"""Runs of the toy model in this process, where a command line of their own would cost seconds."""

from pathlib import Path

import pytest

from oodbench.core.schema import validate
from oodbench.runs.plan import Plan, make_plan
from oodbench.sweeps.jobs import Launch

USUAL = (
    *("data.root=data", "data.allow_partial=true", "model=toy", "preprocessing=timm"),
    *("engine=eager", "engine.batch_size=4"),
)


def go_there(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the toy folder the current one and its network importable."""
    monkeypatch.chdir(toy)
    monkeypatch.syspath_prepend(str(toy))
    return toy


def planned(*overrides: str) -> Plan:
    """The plan of one run in the current folder."""
    launch = Launch([*USUAL, *overrides], config_dir=Path("my_conf"))
    return make_plan(validate(launch.config(launch.jobs[0])))
