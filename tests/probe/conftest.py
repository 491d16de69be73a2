"""Training pictures beside the toy model, and a backbone that can interrupt itself."""

from pathlib import Path

import pytest
import torch
from toys import TOY_MODEL, write_pictures

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


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


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
