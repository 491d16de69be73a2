"""BatchNorm that keeps nothing for its gradient.

In evaluation mode it is a fixed scale and shift, whose gradient is the scale, whatever the input.
PyTorch keeps the input all the same, for the gradient of weights that an attack does not ask for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from oodbench.models.folding import is_fixed_batch_norm


class _ScaleAndShift(torch.autograd.Function):
    """The forward pass is PyTorch's own, so that logits keep their bits."""

    @staticmethod
    def forward(context: Any, x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        context.norm = norm
        return F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        )

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        norm = context.norm
        scale = (norm.running_var + norm.eps).rsqrt()
        if norm.weight is not None:
            scale = scale * norm.weight
        return gradients[0] * scale[:, None, None].to(gradients[0].dtype), None


@contextmanager
def lean_norms(network: nn.Module) -> Iterator[None]:
    """All BatchNorms of a network while the context lasts, which is left as it was.

    Args:
        network: in evaluation mode, its parameters without gradients.
    """
    norms = [module for module in network.modules() if is_fixed_batch_norm(module)]
    try:
        for norm in norms:
            vars(norm)["forward"] = partial(_normed, norm)
        yield
    finally:
        for norm in norms:
            vars(norm).pop("forward", None)  # the method of the class shows again


def _normed(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    normed = torch.as_tensor(_ScaleAndShift.apply(x, norm))
    if isinstance(norm, BatchNormAct2d):
        return torch.as_tensor(norm.act(norm.drop(normed)))
    return normed
