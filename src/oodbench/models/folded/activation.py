"""The bias of a convolution and the ReLU, ReLU6 or Hardtanh after it in one pass, on CUDA.

cuDNN computes the convolution alone. PyTorch then reads and writes its output twice, once to add
the bias and once for the activation; a kernel that PyTorch's jiterator compiles does both at once,
with the same bits. The gradient goes by what the activation has given, so that nothing else is kept
for it.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.cuda.jiterator import _create_jit_fn

from oodbench.core.errors import one_line
from oodbench.models.folded.following import pairs, replace, sharing_copy

SMALLEST = 2**23
"""Values of an output from which on a pass that is saved (25 µs on an H100) is more than Python
takes to ask for this kernel and its gradient."""

_CODE = """
template <typename T> T biased_clamp(T x, T bias, T low, T high) {
    T sum = x + bias;
    return sum < low ? low : (sum > high ? high : sum);
}
"""  # what is no number stays none

Kernel = Callable[[Tensor, Tensor, float, float], Tensor]
"""Values, a bias, and the bounds between which their sum is kept."""

log = logging.getLogger(__name__)


def with_fused_activations(network: nn.Module, example: Tensor) -> nn.Module | None:
    """A copy in which each activation takes the bias of the convolution before it.

    Args:
        network: in evaluation mode, its BatchNorms folded; shares its weights with the copy.
        example: one image `(1, C, H, W)`, to see what follows what.

    Returns:
        None if there is no kernel for the device, or no activation that clamps takes the output of
        a convolution with a bias.
    """
    if kernel_for(example.device) is None:
        return None
    fused = sharing_copy(network)
    found = [pair for pair in pairs(fused, example, _clamps) if pair[0].bias is not None]
    if not found:
        return None
    replace(
        fused,
        {activation: BiasAndClamp(convolution, activation) for convolution, activation in found},
    )
    return fused


class BiasAndClamp(nn.Module):
    """The bias of a convolution, which has none any more, and the activation after it.

    Attributes:
        smallest: as `SMALLEST`; a smaller output is computed by PyTorch, in two passes.
    """

    def __init__(self, convolution: nn.Conv2d, activation: nn.ReLU | nn.Hardtanh) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.bias = nn.Parameter(convolution.bias.detach(), requires_grad=False)
        self.activation = activation
        self.low, self.high = _bounds(activation)
        self.smallest = SMALLEST
        convolution.bias = None

    def forward(self, x: Tensor) -> Tensor:
        """Activation of the output `(N, C, H, W)` of the convolution."""
        bias = self.bias[:, None, None]
        fitting = x.numel() >= self.smallest and x.dtype == bias.dtype == torch.float32
        if not torch.compiler.is_compiling() and fitting and (kernel := kernel_for(x.device)):
            return torch.as_tensor(_OnePass.apply(x, bias, self.low, self.high, kernel))
        return torch.as_tensor(self.activation(x.add_(bias.to(x.dtype))))


@contextmanager
def all_fused(network: nn.Module) -> Iterator[None]:
    """Also small outputs are computed in one pass while the context lasts."""
    fused = [module for module in network.modules() if isinstance(module, BiasAndClamp)]
    try:
        for module in fused:
            module.smallest = 0
        yield
    finally:
        for module in fused:
            module.smallest = SMALLEST


class _OnePass(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, bias: Tensor, low: float, high: float, kernel: Kernel
    ) -> Tensor:
        clamped = kernel(x, bias, low, high)
        context.save_for_backward(clamped)
        context.bounds = low, high
        return clamped

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (clamped,) = context.saved_tensors
        # Of a value that was clamped 0, as of what is at a bound: the output says as much.
        gradient = torch.ops.aten.hardtanh_backward(gradients[0], clamped, *context.bounds)
        return gradient, None, None, None, None


@cache
def kernel_for(device: torch.device) -> Kernel | None:
    """The kernel, None where there is none that gives PyTorch's numbers, as on a CPU."""
    if device.type != "cuda":
        return None
    jitted: Any = _create_jit_fn(_CODE, low=0.0, high=math.inf)

    def kernel(x: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
        with torch.cuda.device(device):
            clamped: Tensor = jitted(x, bias, low=low, high=high)
        return clamped

    try:
        right = _is_right(kernel, device)
    except Exception as error:  # of a compiler that is not there, or another PyTorch
        log.info("bias and activation in two passes: %s", one_line(error, 200))
        return None
    if not right:
        log.info("bias and activation in two passes: the kernel for one gives other numbers")
    return kernel if right else None


def _is_right(kernel: Kernel, device: torch.device) -> bool:
    """Whether it gives PyTorch's bits, in both layouts, of what is no number, too."""
    x = torch.linspace(-9, 9, 2 * 3 * 5 * 7, device=device).reshape(2, 3, 5, 7)
    x[0, :, 0, 0] = torch.tensor([math.nan, math.inf, -math.inf])
    bias = torch.tensor([-1.5, 0.1, 2.0], device=device)[:, None, None]
    return all(
        torch.allclose(
            kernel(values, bias, low, high),
            (values + bias).clamp(low, high),
            rtol=0,
            atol=0,
            equal_nan=True,
        )
        for values in (x, x.contiguous(memory_format=torch.channels_last))
        for low, high in ((0.0, 6.0), (0.0, math.inf), (-1.0, 1.0))
    )


def _clamps(module: nn.Module) -> TypeGuard[nn.ReLU | nn.Hardtanh]:
    """Whether a module is such an activation; another subclass may do more."""
    return type(module) in (nn.ReLU, nn.ReLU6, nn.Hardtanh) and "forward" not in vars(module)


def _bounds(activation: nn.ReLU | nn.Hardtanh) -> tuple[float, float]:
    if isinstance(activation, nn.Hardtanh):
        return float(activation.min_val), float(activation.max_val)
    return 0.0, math.inf
