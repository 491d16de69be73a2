"""PyTorch's compiler."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.engines.base import Forward
from oodbench.engines.exporting import name_of, reason_of
from oodbench.engines.pytorch import TorchForward, device_of

NAME = "compiled"
_NO_COMPILER = ("InvalidCxxCompiler", "TritonMissing")


class CompiledEngine:
    """`torch.compile` of the classifier with BatchNorm folded. Every process compiles again.

    Args:
        precision: fp32, tf32 (CUDA only), bf16 or fp16.
    """

    computes_gradients = True

    def __init__(self, *, precision: str = "fp32") -> None:
        self.precision = precision

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: there is no compiler, the network does not compile, or the device has no
                such precision.
        """
        forward = TorchForward(
            NAME, classifier, example, precision=self.precision, compiled=_OneSize
        )
        try:
            forward.start(example).result()
        except Exception as error:  # dynamo, inductor and Triton have their own each
            raise ConfigError(_complaint(classifier, error)) from error
        return forward


class _OneSize(nn.Module):
    """Compiled for one size of batch; a smaller one is padded, a larger one compiles again."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # Weights as constants, in the layout that the CPU's convolutions want: twice as fast there.
        options: dict[str, Any] = {"freezing": device_of(network).type == "cpu"}
        self.compiled: Any = torch.compile(network, dynamic=False, options=options)
        self.size = 0

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the images."""
        count = len(images)
        self.size = max(self.size, count)
        if count < self.size:
            images = torch.cat([images, images[-1:].expand(self.size - count, -1, -1, -1)])
        logits: Tensor = self.compiled(images.contiguous(memory_format=torch.channels_last))
        return logits[:count]


def _complaint(classifier: nn.Module, error: Exception) -> str:
    if any(name in f"{type(error).__name__} {error}" for name in _NO_COMPILER):
        return (
            "engine=compiled needs a compiler (g++ or clang on the CPU, Triton on CUDA): install "
            "it, set CXX=PATH, or use engine=eager"
        )
    return (
        f"engine=compiled: {name_of(classifier)} does not compile: {reason_of(error)}: "
        "use engine=eager"
    )
