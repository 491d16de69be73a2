"""Which device a run uses, found without importing torch where no accelerator can be present."""

from pathlib import Path

from oodbench.core.errors import ConfigError


def resolve_device(device: str) -> str:
    """`auto` becomes cuda where PyTorch can use it, else cpu; other names are taken as they are.

    Raises:
        ConfigError: the device is none of this machine's.
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
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ConfigError(
            f"engine.device={device}: PyTorch has none ({reason}); use engine.device=cpu"
        ) from error
    return device


def device_type(device: str) -> str:
    """`cuda:1` is of type cuda."""
    return device.split(":")[0]


def _nvidia_device_present() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
