"""The bias of a convolution and the activation after it in one pass over its output, on CUDA.

cuDNN computes the convolution alone. PyTorch then reads and writes its output twice, once to add
the bias and once for the activation; kernels that PyTorch's jiterator compiles do both at once, for
ReLU, ReLU6, Hardtanh and SiLU. After a depthwise convolution that PyTorch computes itself, bias
included, as it does channels first, they are no faster, but ReLU6 keeps nothing for its gradient.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from oodbench.core.errors import one_line
from oodbench.models.folded.following import pairs, replace, sharing_copy

SMALLEST = 2**23
"""Values of an output from which on a pass that is saved (25 µs on an H100) is more than Python
takes to ask for these kernels."""

ROUNDING = 1e-5
"""Difference from PyTorch's SiLU and its gradient that another order of operations may make, of
values of about 1."""

_CLAMP = """
template <typename T> T biased_clamp(T x, T bias, T low, T high) {
    T sum = x + bias;
    return sum < low ? low : (sum > high ? high : sum);
}
"""  # what is no number stays none

_SILU = """
template <typename T> T biased_silu(T x, T bias) {
    T sum = x + bias;
    return sum / (T(1) + ::exp(-sum));
}
"""

_SILU_GRADIENT = """
template <typename T> T biased_silu_gradient(T gradient, T x, T bias) {
    T sum = x + bias;
    T sigmoid = T(1) / (T(1) + ::exp(-sum));
    return gradient * sigmoid * (T(1) + sum * (T(1) - sigmoid));
}
"""

_WITH_KERNELS = (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.SiLU)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kernels:
    """What takes a pass each; `x` is `(N, C, H, W)`, a bias `(C, 1, 1)`.

    Attributes:
        clamp: of `x`, bias, lowest and highest value.
        silu: of `x` and bias.
        silu_gradient: of the gradient to what `silu` gives, `x` and bias.
    """

    clamp: Callable[[Tensor, Tensor, float, float], Tensor]
    silu: Callable[[Tensor, Tensor], Tensor]
    silu_gradient: Callable[[Tensor, Tensor, Tensor], Tensor]


def with_fused_activations(network: nn.Module, example: Tensor) -> nn.Module | None:
    """A copy in which each activation adds the bias of the convolution before it.

    Args:
        network: in evaluation mode, its BatchNorms folded; shares its weights with the copy.
        example: one image `(1, C, H, W)`, to see what follows what.

    Returns:
        None if the device has no kernels, or no such activation takes the output of a convolution
        with a bias.
    """
    if kernels_for(example.device) is None:
        return None
    fused = sharing_copy(network)
    found = [pair for pair in pairs(fused, example, _can_be_fused) if pair[0].bias is not None]
    if not found:
        return None
    replace(fused, {pair[1]: BiasAndActivation(*pair) for pair in found})
    return fused


class BiasAndActivation(nn.Module):
    """The bias of a convolution, which has none any more, and the activation after it.

    A single layer, as each of them was: the activation is no module of its own in it.

    Attributes:
        smallest: as `SMALLEST`; a smaller output is computed by PyTorch, in two passes.
    """

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.bias = nn.Parameter(convolution.bias.detach(), requires_grad=False)
        self.smallest = SMALLEST
        self._activated = activation.forward
        self._in_one_pass = _in_one_pass(activation)
        convolution.bias = None

    def forward(self, x: Tensor) -> Tensor:
        """Activation of the output `(N, C, H, W)` of the convolution."""
        bias = self.bias[:, None, None]
        fitting = x.numel() >= self.smallest and x.dtype == bias.dtype == torch.float32
        if not torch.compiler.is_compiling() and fitting and (kernels := kernels_for(x.device)):
            return torch.as_tensor(self._in_one_pass(x, bias, kernels))
        return torch.as_tensor(self._activated(x + bias.to(x.dtype)))


def _can_be_fused(module: nn.Module) -> TypeGuard[nn.Module]:
    """Whether a module is an activation with a kernel; a subclass may do more."""
    return type(module) in _WITH_KERNELS and "forward" not in vars(module)


def _in_one_pass(activation: nn.Module) -> Callable[[Tensor, Tensor, Kernels], Any]:
    """Of `x`, bias and kernels."""
    if isinstance(activation, nn.SiLU):
        return partial(_SiLU.apply)
    low, high = 0.0, math.inf
    if isinstance(activation, nn.Hardtanh):
        low, high = float(activation.min_val), float(activation.max_val)
    return partial(_Clamped.apply, low, high)


@contextmanager
def all_fused(network: nn.Module) -> Iterator[None]:
    """Also small outputs are computed in one pass while the context lasts."""
    fused = [module for module in network.modules() if isinstance(module, BiasAndActivation)]
    try:
        for module in fused:
            module.smallest = 0
        yield
    finally:
        for module in fused:
            module.smallest = SMALLEST


class _Clamped(torch.autograd.Function):
    """Keeps what it gives, which the next convolution keeps, too: where it is at a bound the
    gradient is 0."""

    @staticmethod
    def forward(
        context: Any, low: float, high: float, x: Tensor, bias: Tensor, kernels: Kernels
    ) -> Tensor:
        clamped = kernels.clamp(x, bias, low, high)
        context.save_for_backward(clamped)
        context.bounds = low, high
        return clamped

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (clamped,) = context.saved_tensors
        gradient = torch.ops.aten.hardtanh_backward(gradients[0], clamped, *context.bounds)
        return None, None, gradient, None, None


class _SiLU(torch.autograd.Function):
    """Keeps the output of the convolution, as PyTorch's does with the bias added."""

    @staticmethod
    def forward(context: Any, x: Tensor, bias: Tensor, kernels: Kernels) -> Tensor:
        context.save_for_backward(x, bias)
        context.kernels = kernels
        return kernels.silu(x, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = context.kernels.silu_gradient(gradients[0], *context.saved_tensors)
        return gradient, None, None


@cache
def kernels_for(device: torch.device) -> Kernels | None:
    """None where there are none that give PyTorch's numbers, as on a CPU."""
    return _checked(device) if device.type == "cuda" else None


def _checked(device: torch.device) -> Kernels | None:
    try:
        kernels = _compiled(device)
        right = _are_right(kernels, device)
    except Exception as error:  # of a compiler that is not there, or another PyTorch
        log.info("bias and activation in two passes: %s", one_line(error, 200))
        return None
    if not right:
        log.info("bias and activation in two passes: the kernels for one give other numbers")
    return kernels if right else None


def _compiled(device: torch.device) -> Kernels:
    """They are, when they are first called."""
    from torch.cuda.jiterator import _create_jit_fn  # PyTorch calls it beta: it may go

    def on_the_device(code: str, **constants: float) -> Callable[..., Tensor]:
        jitted: Any = _create_jit_fn(code, **constants)

        def launch(*tensors: Tensor, **values: float) -> Tensor:
            with torch.cuda.device(device):
                return torch.as_tensor(jitted(*tensors, **values))

        return launch

    clamp = on_the_device(_CLAMP, low=0.0, high=math.inf)
    return Kernels(
        lambda x, bias, low, high: clamp(x, bias, low=low, high=high),
        on_the_device(_SILU),
        on_the_device(_SILU_GRADIENT),
    )


def _are_right(kernels: Kernels, device: torch.device) -> bool:
    """Whether they give PyTorch's numbers in both layouts, of what is no number, too; the bits of
    the clamped ones."""
    x = torch.linspace(-9, 9, 2 * 3 * 5 * 7, device=device).reshape(2, 3, 5, 7)
    x[0, :, 0, 0] = torch.tensor([math.nan, math.inf, -math.inf])
    bias = torch.tensor([-1.5, 0.1, 2.0], device=device)[:, None, None]
    gradient = x.flip(0)
    return all(
        _agree(kernels.clamp(values, bias, *bounds), (values + bias).clamp(*bounds), 0)
        for values in _in_both_layouts(x)
        for bounds in ((0.0, 6.0), (0.0, math.inf), (-1.0, 1.0))
    ) and all(
        _agree(kernels.silu(values, bias), F.silu(values + bias), ROUNDING)
        and _agree(
            kernels.silu_gradient(gradient, values, bias),
            torch.ops.aten.silu_backward(gradient, values + bias),
            ROUNDING,
        )
        for values in _in_both_layouts(x)
    )


def _in_both_layouts(x: Tensor) -> tuple[Tensor, Tensor]:
    return x, x.contiguous(memory_format=torch.channels_last)


def _agree(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
