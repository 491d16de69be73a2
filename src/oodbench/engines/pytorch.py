"""What PyTorch computes for every engine: images from pixels, precisions, reference logits."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.engines.resizing import Copied, Pixels
from oodbench.models.full_float32 import full_float32

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def device_of(classifier: nn.Module) -> torch.device:
    """Where its tensors are; the CPU if it has none."""
    tensors = [*classifier.parameters(), *classifier.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")


def images_from(pixels: Tensor) -> Tensor:
    """float32 `(N, 3, H, W)` in [0, 1] of pixels uint8 `(N, H, W, 3)`, channels last as they are.

    The bits are the same on all devices: by a number that is on no device, CUDA would multiply by
    its inverse.
    """
    images = pixels.permute(0, 3, 1, 2).float()
    return images.div_(images.new_full((), 255))


def images_of(pixels: Pixels, device: torch.device) -> Tensor:
    """The same of pixels that are on the host."""
    return images_from(Copied(pixels, device).pixels())


def reference_logits(
    classifier: nn.Module, pixels: NDArray[np.uint8], precision: str = "fp32"
) -> NDArray[np.float32]:
    """What every engine is compared with: the classifier as it is.

    Args:
        pixels: `(N, H, W, 3)`.
        precision: fp32, where nothing is rounded to TF32 whatever is switched on; tf32 where
            `set_precision` has switched it on; bf16 or fp16.
    """
    images = images_of(pixels, device_of(classifier)).contiguous()
    exact = full_float32() if precision == "fp32" else nullcontext()
    with torch.inference_mode(), exact, autocast(precision, images.device.type):
        logits: Tensor = classifier(images)
    return logits.float().cpu().numpy()


def autocast(precision: str, device_type: str) -> AbstractContextManager[None]:
    """Where PyTorch computes in `bf16` or `fp16` what it deems safe; nothing for fp32 and tf32."""
    if precision not in _AUTOCAST:
        return nullcontext()
    return torch.autocast(device_type, dtype=_AUTOCAST[precision])


def set_precision(precision: str, device_type: str, key: str = "engine.precision") -> None:
    """Switch TF32, which PyTorch has on for convolutions unless told otherwise, on or off; bf16
    and fp16 are autocast's, see `autocast`. On CUDA cuDNN is held to algorithms that repeat their
    bits.

    Args:
        precision: fp32, tf32, bf16 or fp16.
        device_type: cpu, cuda, …
        key: that names it, for messages.

    Raises:
        ConfigError: tf32 or bf16 is asked for on a device that has none.
    """
    if device_type == "cuda":
        if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ConfigError(f"{key}=bf16: this card has none: use fp16 or fp32")
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.deterministic = True
    elif precision == "tf32":
        raise ConfigError(
            f"{key}=tf32: needs a CUDA device, this is {device_type}: use fp32 or bf16"
        )
