"""Which device a run uses, found without importing torch where no accelerator can be present."""

from pathlib import Path

from oodbench.errors import ConfigError


def resolve_device(device: str) -> str:
    """`auto` becomes cuda where PyTorch can use it, else cpu; other names are taken as they are.

    Raises:
        ConfigError: CUDA is named and cannot be used.
    """
    if device == "cpu" or (device == "auto" and not _nvidia_device_present()):
        return "cpu"
    import torch

    usable = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if usable else "cpu"
    if device.startswith("cuda") and not usable:
        raise ConfigError(
            f"engine.device={device}: PyTorch finds no CUDA device; use engine.device=cpu"
        )
    return device


def device_type(device: str) -> str:
    """`cuda:1` is of type cuda."""
    return device.split(":")[0]


def _nvidia_device_present() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
