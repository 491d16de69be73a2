"""PyTorch's compiler."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.engines.base import Forward
from oodbench.engines.cuda import CudaForward
from oodbench.engines.exporting import name_of, reason_of
from oodbench.engines.pytorch import device_of
from oodbench.engines.torch_forward import TorchForward
from oodbench.models.device_memory import is_out_of_memory

NAME = "compiled"
_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
_NO_COMPILER = ("InvalidCxxCompiler", "TritonMissing")


class CompiledEngine:
    """`torch.compile` of the classifier with BatchNorm folded; what is compiled is kept on disk.

    Args:
        precision: fp32, tf32 (CUDA only), bf16 or fp16.
        batch_size: of the run; on CUDA, where compiling takes long, smaller batches are padded to
            it from the first one on.
        cache_dir: its folder `inductor` keeps what is compiled, unless the variable
            TORCHINDUCTOR_CACHE_DIR names another one.
    """

    computes_gradients = True
    prepares_slowly = True

    def __init__(
        self,
        *,
        precision: str = "fp32",
        batch_size: int | None = None,
        cache_dir: str = ".cache/engines",
    ) -> None:
        self.precision = precision
        self.batch_size = batch_size
        self.cache_dir = cache_dir

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: there is no compiler, the network does not compile, or the device has no
                such precision.
        """
        os.environ.setdefault(_CACHE_VARIABLE, str(Path(self.cache_dir, "inductor").absolute()))
        forward = self._forward(classifier, example)
        try:
            forward.start(example).result()
        except Exception as error:  # dynamo, inductor and Triton have their own each
            if not is_out_of_memory(error):
                raise ConfigError(_complaint(classifier, error)) from error
        return forward

    def _forward(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        if device_of(classifier).type == "cuda":
            made = partial(OneSize, size=self.batch_size or 0)
            return CudaForward(NAME, classifier, example, precision=self.precision, made=made)
        return TorchForward(
            NAME, classifier, example, precision=self.precision, compiled=_on_the_cpu
        )


def _on_the_cpu(network: nn.Module) -> nn.Module:
    # Weights as constants, in the layout that the CPU's convolutions want: twice as fast there.
    return OneSize(network, layout=torch.channels_last, freezing=True)


class OneSize(nn.Module):
    """Compiled for one size of batch; a smaller one is padded, a larger one compiles again.

    Args:
        network: of a batch.
        size: to begin with.
        layout: of the batch in memory.
        options: of `torch.compile`.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        size: int = 0,
        layout: torch.memory_format = torch.contiguous_format,
        **options: Any,
    ) -> None:
        super().__init__()
        self.compiled: Any = torch.compile(network, dynamic=False, options=options)
        self.size = size
        self.layout = layout

    def forward(self, batch: Tensor) -> Tensor:
        """Logits of the batch."""
        count = len(batch)
        self.size = max(self.size, count)
        if count < self.size:
            padding = batch[-1:].expand(self.size - count, -1, -1, -1)
            batch = torch.cat([batch, padding])
        try:
            logits: Tensor = self.compiled(batch.contiguous(memory_format=self.layout))
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                self.size = 0  # what comes next is smaller, and must not be padded to this
            raise
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
