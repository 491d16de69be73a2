"""A toy model and class folders of tiny pictures: no weights, no network, milliseconds."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01498041")

TOY_MODULE = '''
"""Logits from mean colours of a 4 x 4 grid through a fixed matrix."""
import torch
from torch import nn


class Toy(nn.Module):
    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(48, 1000)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(1000, 48, generator=generator))
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(x).flatten(1))
'''
TOY_MODEL = """# A toy network whose weights are made from a seed.
name: toy
input_size: 32
network:
  _target_: toy_network.Toy
weights:
  identity: toy-v1
"""

FRAGILE_MODULE = '''
"""The toy network; at forward pass SIGNAL_AT it sends itself the signal SIGNAL."""
import os
import signal

from toy_network import Toy


class Fragile(Toy):
    passes = 0

    def forward(self, x):
        Fragile.passes += 1
        if Fragile.passes == int(os.environ.get("SIGNAL_AT", "0")):
            os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))
        return super().forward(x)
'''


def write_pictures(
    root: Path, per_class: int, *, size: int = 40, wnids: Sequence[str] = WNIDS
) -> None:
    """Class folders with seeded noise pictures `<wnid>_<k>.JPEG`."""
    for index, wnid in enumerate(wnids):
        (root / wnid).mkdir(parents=True)
        for k in range(per_class):
            rng = np.random.default_rng([index, k])
            coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((size + index, size), Image.Resampling.NEAREST)
            picture.save(root / wnid / f"{wnid}_{k:03d}.JPEG", quality=95)


Cli = Callable[..., subprocess.CompletedProcess[str]]


def command(folder: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of `oodbench` with the toy configs."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    return [sys.executable, "-m", "oodbench.run", *arguments_of(*arguments)], environment


def arguments_of(*arguments: str) -> list[str]:
    """The same with the toy configs and their data; Hydra wants options before overrides."""
    options = [argument for argument in arguments if argument.startswith("-")]
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    common = ["--config-dir", "my_conf", "data.root=data", "data.allow_partial=true"]
    return [*options, *common, *overrides]
