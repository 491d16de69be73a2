"""Gradients in less memory, in two ways that `MemoryPlan.frugal` switches on together.

Checkpointing: a block keeps its input alone and is computed again on the way back (Chen et al.,
Training Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174).

Lean norms: in evaluation mode BatchNorm is a fixed scale and shift, whose gradient is the scale,
whatever the input. PyTorch keeps the input all the same, for the gradient of weights that an attack
does not ask for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from oodbench.models.folded.batch_norm import is_fixed_batch_norm

_CONTAINERS = (nn.Sequential, nn.ModuleList)
_FLAG = "grad_checkpointing"
"""The attribute by which timm's networks and their stages know that they are checkpointed."""


@contextmanager
def checkpointed(network: nn.Module) -> Iterator[None]:
    """Per block while the context lasts; the network is as before afterwards.

    A timm network does it itself (`set_grad_checkpointing`), in evaluation mode too. In others the
    blocks are what `blocks` finds. Logits and gradients keep their bits: the same operations run.
    """
    own = [module for module in network.modules() if hasattr(module, "set_grad_checkpointing")]
    before = {module: vars(module)[_FLAG] for module in network.modules() if _FLAG in vars(module)}
    wrapped = [] if own else blocks(network)
    try:
        for module in own:
            switch: Any = module.set_grad_checkpointing
            switch()
        for block in wrapped:
            vars(block)["forward"] = partial(checkpoint, block.forward, use_reentrant=False)
        yield
    finally:
        for block in wrapped:
            vars(block).pop("forward", None)  # the method of the class is visible again
        for module, value in before.items():
            setattr(module, _FLAG, value)


def blocks(network: nn.Module) -> list[nn.Module]:
    """What the outermost sequences and lists of a network hold, sequences within them opened.

    Of a torchvision ResNet the residual blocks, of a transformers encoder the layers. A single
    layer is no block: it keeps little but its input. A module that is used twice counts once.
    """
    found: dict[nn.Module, None] = {}
    for child in network.children():
        if isinstance(child, _CONTAINERS):
            found.update(dict.fromkeys(_held(child)))
        else:
            found.update(dict.fromkeys(blocks(child)))
    return list(found)


def _held(container: nn.Module) -> list[nn.Module]:
    held: list[nn.Module] = []
    for part in container.children():
        if isinstance(part, _CONTAINERS):
            held += _held(part)
        elif next(part.children(), None) is not None and "forward" not in vars(part):
            held.append(part)
    return held


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
            vars(norm).pop("forward", None)  # the method of the class is visible again


def _normed(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    normed = torch.as_tensor(_ScaleAndShift.apply(x, norm))
    if isinstance(norm, BatchNormAct2d):
        return torch.as_tensor(norm.act(norm.drop(normed)))
    return normed
