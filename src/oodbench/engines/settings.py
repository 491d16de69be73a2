"""What a config's engine means: class, device, batch size. For plans and keys: imports no torch."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oodbench.core.errors import ConfigError, one_line
from oodbench.core.ids import frozen
from oodbench.core.schema import EngineConfig
from oodbench.engines.cards import own_card

log = logging.getLogger(__name__)

ON_THE_CPU = 8
"""Measured with efficientnet_lite0 and resnet50 on two cores: the activations of a larger batch
outgrow the cache. OpenVINO takes the pictures one by one whatever the batch."""


PIXELS = 256 * 224**2
"""Of a batch on an accelerator, at most: batches of twice as many gained 1 % (ResNet-50, tf32) and
4 % (EfficientNet-B0, fp16) on an H100."""

REFILLED = 4
"""Times as many for an attack that refills its own batches from one: the more it is given, the
fewer of its passes are made for the last few pictures alone."""

ATTACKED_ON_THE_CPU = 16

NATIVE = 224**2
"""Pixels of a picture where they are not known."""


def engine_target(engine: EngineConfig, *, attack: bool) -> Any:
    """Frozen id of the engine's class.

    Args:
        engine: the `engine` node.
        attack: whether the pictures are attacked: then `engine.when_attacked` is asked, too.
    """
    target = frozen(engine.backend).get("_target_")
    return engine.when_attacked.get(target, target) if attack else target


def resolve_device(device: str, key: str = "engine.device") -> str:
    """`auto` becomes cuda where PyTorch can use it, else cpu; other names are taken as they are.

    Of several cards, `auto` is one that the fewest other processes use.

    Args:
        device: auto, cpu, cuda, cuda:1, …
        key: that names it, for messages.

    Raises:
        ConfigError: this machine has no such device.
    """
    if device == "cpu" or (device == "auto" and not _nvidia_device_present()):
        return "cpu"
    import torch

    usable = torch.cuda.is_available()
    if device == "auto":
        if not usable:
            log.warning("%s=auto: the CPU computes: %s", key, _why_no_cuda())
        if usable and torch.cuda.device_count() > 1:
            return f"cuda:{own_card()}"
        return "cuda" if usable else "cpu"
    if device_type(device) == "cuda":
        _refuse_missing_card(device, torch.cuda.device_count() if usable else 0, key)
    try:
        torch.zeros(1, device=device).item()
    except (AssertionError, RuntimeError) as error:
        reason = one_line(error, 100)
        raise ConfigError(f"{key}={device}: PyTorch has none ({reason}); use {key}=cpu") from error
    return device


def _refuse_missing_card(device: str, count: int, key: str) -> None:
    if count == 0:
        raise ConfigError(
            f"{key}={device}: PyTorch finds no CUDA device ({_why_no_cuda()}); use {key}=cpu"
        )
    index = device.partition(":")[2]
    if index.isdigit() and int(index) >= count:
        raise ConfigError(
            f"{key}={device}: the CUDA devices here are cuda:0 to cuda:{count - 1}"
            if count > 1
            else f"{key}={device}: the one CUDA device here is cuda:0"
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


def use_device(device: str) -> None:
    """Make it the one that libraries take where none is named."""
    if device_type(device) == "cuda":
        import torch

        torch.cuda.set_device(device if ":" in device else f"{device}:0")


def device_type(device: str) -> str:
    """`cuda:1` is of type cuda."""
    return device.split(":")[0]


def default_batch_size(
    device: str, *, attack: bool = False, refills: bool = False, pixels: int = NATIVE
) -> int:
    """Pictures per batch; on an accelerator a power of two, with memory for which see
    `oodbench.evaluation.batch_size`.

    Args:
        device: cpu, cuda, cuda:1, …
        attack: whether they are attacked.
        refills: whether by an attack of `refills_batches`.
        pixels: height times width of a picture.
    """
    if device == "cpu":
        return ATTACKED_ON_THE_CPU if attack else ON_THE_CPU
    return power_of_two(PIXELS * (REFILLED if refills else 1) / pixels)


def power_of_two(most: float) -> int:
    """The largest one up to a number; 1 for smaller numbers."""
    return 1 << max(0, int(most).bit_length() - 1)


def _nvidia_device_present() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
