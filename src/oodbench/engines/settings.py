"""What a config's engine means: class, device, batch size. For plans and keys: imports no torch."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oodbench.core.errors import ConfigError, one_line
from oodbench.core.ids import frozen
from oodbench.core.schema import EngineConfig

log = logging.getLogger(__name__)

ON_THE_CPU = 8
"""Measured with efficientnet_lite0 and resnet50 on two cores: the activations of a larger batch
outgrow the cache. OpenVINO takes the pictures one by one whatever the batch."""


ON_AN_ACCELERATOR = 32
"""Not measured. Two batches of the largest network, 800 pixels a side, fit 40 GB."""


OF_ATTACK = {"cpu": 16, "cuda": 256}
"""Batch size by type of device: an attack refills its own small batches from it; on CUDA these are
of up to 256 pictures where `attack.memory` is set."""


def engine_target(engine: EngineConfig, *, attack: bool) -> Any:
    """Frozen id of the engine's class.

    Args:
        engine: the `engine` node.
        attack: whether the pictures are attacked: then `engine.when_attacked` is asked, too.
    """
    target = frozen(engine.backend).get("_target_")
    return engine.when_attacked.get(target, target) if attack else target


def resolve_device(device: str) -> str:
    """`auto` becomes cuda where PyTorch can use it, else cpu; other names are taken as they are.

    Raises:
        ConfigError: this machine has no such device.
    """
    if device == "cpu" or (device == "auto" and not _nvidia_device_present()):
        return "cpu"
    import torch

    usable = torch.cuda.is_available()
    if device == "auto":
        if not usable:
            log.warning("engine.device=auto: the CPU computes: %s", _why_no_cuda())
        return "cuda" if usable else "cpu"
    if device_type(device) == "cuda":
        _refuse_missing_card(device, torch.cuda.device_count() if usable else 0)
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = one_line(error, 100)
        raise ConfigError(
            f"engine.device={device}: PyTorch has none ({reason}); use engine.device=cpu"
        ) from error
    return device


def _refuse_missing_card(device: str, count: int) -> None:
    if count == 0:
        raise ConfigError(
            f"engine.device={device}: PyTorch finds no CUDA device ({_why_no_cuda()}); use "
            "engine.device=cpu"
        )
    index = device.partition(":")[2]
    if index.isdigit() and int(index) >= count:
        raise ConfigError(
            f"engine.device={device}: the CUDA devices here are cuda:0 to cuda:{count - 1}"
            if count > 1
            else f"engine.device={device}: the one CUDA device here is cuda:0"
        )


def _why_no_cuda() -> str:
    """PyTorch's reason, such as a driver that is older than its CUDA."""
    import torch

    init: Callable[[], None] = torch.cuda.init
    try:
        init()
    except (AssertionError, RuntimeError) as error:
        return one_line(error, 150)
    return "no card"


def device_type(device: str) -> str:
    """`cuda:1` is of type cuda."""
    return device.split(":")[0]


def default_batch_size(device: str, *, attack: bool = False) -> int:
    """Pictures per batch.

    Args:
        device: cpu, cuda, cuda:1, …
        attack: whether they are attacked.
    """
    if attack:
        return OF_ATTACK.get(device_type(device), OF_ATTACK["cpu"])
    return ON_THE_CPU if device == "cpu" else ON_AN_ACCELERATOR


def _nvidia_device_present() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
