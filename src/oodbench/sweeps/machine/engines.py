"""Which engines compute a small network here, tried."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from oodbench.core.errors import ConfigError, first_line
from oodbench.core.schema import EngineConfig, shipped
from oodbench.core.shipped import shipped_content
from oodbench.engines.choose import prepared, prepares_slowly
from oodbench.engines.settings import resolve_device
from oodbench.models.classifier import CLASSES, Classifier
from oodbench.sweeps.machine.findings import Finding

_SIDE = 32


def engines(*, slow: bool = False) -> Iterator[Finding]:
    """Each shipped engine, with the logits of a network of two layers compared with eager's.

    Args:
        slow: try those too that need more than some seconds.
    """
    device = resolve_device("auto")
    for name in shipped("engine"):
        backend = (shipped_content("engine", name) or {}).get("backend", {})
        config = EngineConfig(name=name, backend=backend)
        if prepares_slowly(config) and not slow:
            yield Finding(name, "-", "not tried, it takes long", "oodbench-doctor --all-engines")
        else:
            yield _tried(config, device)


def _tried(config: EngineConfig, device: str) -> Finding:
    name = config.name
    classifier = Classifier(_network(), mean=[0.5] * 3, std=[0.5] * 3).to(device)
    pixels = np.random.default_rng(0).integers(256, size=(2, _SIDE, _SIDE, 3), dtype=np.uint8)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        try:
            forward = prepared(
                *(config, classifier, pixels),
                cache_dir=Path(folder),
                model_identity=None,
            )
            forward.start(pixels).result()
        except (ConfigError, RuntimeError, OSError) as error:
            return Finding(name, "-", first_line(error))
    seconds = time.monotonic() - started
    note = f"; {forward.note}" if forward.note else ""
    chosen = "" if forward.name == name else f"{forward.name}, "
    return Finding(name, "ok", f"{chosen}ready after {seconds:.1f} s on {device}{note}")


def _network() -> nn.Module:
    """Two layers for the 1000 classes, the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(8, CLASSES)).eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of engines that are only tried."""
    logger = logging.getLogger("oodbench.engines")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
