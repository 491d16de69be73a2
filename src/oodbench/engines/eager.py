"""Plain PyTorch."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodbench.engines.base import Forward
from oodbench.engines.cuda import CudaForward
from oodbench.engines.pytorch import device_of
from oodbench.engines.torch_forward import TorchForward

NAME = "eager"


class EagerEngine:
    """The classifier as PyTorch runs it, BatchNorm folded into convolutions, channels last.

    Args:
        precision: fp32, tf32 (CUDA only), bf16 or fp16.
    """

    computes_gradients = True
    needs_gate = False

    def __init__(self, *, precision: str = "fp32") -> None:
        self.precision = precision

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: the device has no such precision.
        """
        kind = CudaForward if device_of(classifier).type == "cuda" else TorchForward
        return kind(NAME, classifier, example, precision=self.precision)
