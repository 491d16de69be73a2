"""Precisions of PyTorch's forward pass."""

from contextlib import AbstractContextManager, nullcontext

import torch

from oodbench.core.errors import ConfigError

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device_type: str) -> AbstractContextManager[None]:
    """Where PyTorch computes in `bf16` or `fp16` what it deems safe; nothing for fp32 and tf32."""
    if precision not in _AUTOCAST:
        return nullcontext()
    return torch.autocast(device_type, dtype=_AUTOCAST[precision])


def set_tf32(precision: str, device_type: str) -> None:
    """Switch TF32, which PyTorch has on for convolutions unless told otherwise, on or off.

    Raises:
        ConfigError: tf32 is asked for on a device that has none.
    """
    if device_type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    elif precision == "tf32":
        raise ConfigError(
            f"engine.precision=tf32: needs a CUDA device, this is {device_type}: use fp32 or bf16"
        )
