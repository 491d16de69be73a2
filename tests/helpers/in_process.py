"""Runs of the toy model in this process, where a command line of their own would cost seconds."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from oodbench.core.schema import validate
from oodbench.runs.plan import Plan, make_plan
from oodbench.sweeps.jobs import Launch

if TYPE_CHECKING:
    import torch

USUAL = (
    *("data.root=data", "data.allow_partial=true", "model=toy", "preprocessing=timm"),
    *("engine=eager", "engine.batch_size=4"),
)


def go_there(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the toy folder the current one and its code importable, also when it is edited."""
    monkeypatch.chdir(toy)
    make_importable(toy, monkeypatch)
    return toy


def make_importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the folder that is changed and imported again is compiled again.

    Python takes a file of the same size and the same second for the one that it has compiled.
    """
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def planned(*overrides: str) -> Plan:
    """The plan of one run in the current folder."""
    launch = Launch([*USUAL, *overrides], config_dir=Path("my_conf"))
    return make_plan(validate(launch.config(launch.jobs[0])))


def toy_logits(plan: Plan, n: int) -> "torch.Tensor":
    """Logits `(n, 1000)` of the first pictures, as torchvision reads them, without oodbench."""
    import torch
    from torchvision import transforms

    steps, model = plan.run.preprocessing, plan.run.model
    read = transforms.Compose(
        [
            transforms.Resize(steps["resize"]),
            transforms.CenterCrop(steps["crop"]),
            transforms.ToTensor(),
            transforms.Normalize(model.mean, model.std),
        ]
    )
    (split,) = plan.splits
    pictures = [Image.open(split.root / item.image) for item in split.list_items()[:n]]
    with torch.no_grad():
        logits: torch.Tensor = import_module("toy_network").Toy()(
            torch.stack([read(picture) for picture in pictures])
        )
    return logits
