"""A device without room is one line, and half a batch is no failure."""

import json
from pathlib import Path

import pytest
import torch
from toys import TOY_MODEL, Cli

from oodbench.core.errors import ConfigError
from oodbench.engines.full_device import memory_in_one_line

NARROW = """
import torch
from toy_network import Toy

class Narrow(Toy):
    def __init__(self, width, **arguments):
        super().__init__(**arguments)
        self.width = width

    def forward(self, images):
        if len(images) > self.width:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return super().forward(images)
"""


def test_the_line_says_what_is_free_and_what_was_asked_for() -> None:
    with pytest.raises(ConfigError) as error, memory_in_one_line("cpu"):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nSee")
    said = str(error.value)
    assert said.startswith("engine.device=cpu: out of memory: ")
    assert "GiB are free on cpu (CUDA out of memory. Tried to allocate 2 GiB See): free" in said


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), ConfigError("out of memory")])
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, memory_in_one_line("cpu"):
        raise error
    assert raised.value is error


@pytest.fixture
def narrow(toy: Path) -> Path:
    (toy / "narrow_network.py").write_text(NARROW)
    model = TOY_MODEL.replace("name: toy", "name: narrow").replace(
        "_target_: toy_network.Toy", "_target_: narrow_network.Narrow\n  width: 3"
    )
    (toy / "my_conf" / "model" / "narrow.yaml").write_text(model)
    return toy


def predictions(root: Path) -> list[int]:
    import pandas as pd

    (folder,) = root.glob("runs/imagenet/*/*/records")
    return list(pd.read_parquet(folder)["prediction"])


def test_a_run_goes_on_with_what_fits(narrow: Path, cli: Cli) -> None:
    common = ("benchmark=imagenet", "data.allow_partial=true", "engine=eager")
    assert cli("model=toy", *common, "output_root=whole").returncode == 0
    found = cli("model=narrow", *common, "output_root=halved")
    assert found.returncode == 0, found.stderr
    assert predictions(narrow / "halved") == predictions(narrow / "whole")
    (info,) = (narrow / "halved").glob("runs/imagenet/narrow/*/run.json")
    (session,) = json.loads(info.read_text())["sessions"]
    assert session["batch_size"] == 2  # 8 did not fit, nor did 4


def test_a_run_without_room_for_one_picture_stops_with_a_line(narrow: Path, cli: Cli) -> None:
    found = cli(
        *("model=narrow", "model.network.width=0", "benchmark=imagenet", "engine=eager"),
        "data.allow_partial=true",
    )
    assert found.returncode == 1
    said = found.stdout + found.stderr
    assert "engine.device=cpu: out of memory: " in said
    assert "Traceback" not in said
