"""BatchNorm as a part of the convolution before it.

Half of the time of a gradient step of a small network is BatchNorm, which in evaluation mode is a
fixed scale and shift that the convolution before it can carry (Jacob et al., CVPR 2018, section
3.2, as `torch.nn.utils.fusion` computes it).
"""

from typing import TypeGuard

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from oodbench.models.folded.following import pairs, replace, sharing_copy

_COPY_THEIR_INPUT = (nn.Hardtanh, nn.SiLU, nn.Hardswish)
"""Activations whose gradient needs their input: in place, autograd first makes a copy of it.
nn.Hardtanh includes ReLU6."""


class _InLayout(nn.Module):
    """Passes images to a network in the layout of the folded weights."""

    def __init__(self, network: nn.Module, layout: torch.memory_format) -> None:
        super().__init__()
        self.network = network
        self.layout = layout

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the network."""
        logits: Tensor = self.network(images.contiguous(memory_format=self.layout))
        return logits


def fold_batch_norm(
    network: nn.Module, example: Tensor, layout: torch.memory_format = torch.channels_last
) -> nn.Module | None:
    """A copy in which each BatchNorm that takes the output of a convolution is part of it.

    Args:
        network: in evaluation mode; is left as it is, and shares its other weights with the copy.
        example: one image `(1, C, H, W)`, to see what follows what.
        layout: of the folded weights and of what the copy is given.

    Returns:
        None if there is nothing to fold.
    """
    folded = sharing_copy(network)
    found = pairs(folded, example, is_fixed_batch_norm)
    if not found:
        return None
    for convolution, norm in found:
        _fold(convolution, norm, layout)
    replace(folded, {norm: _what_remains(norm) for _, norm in found})
    for module in folded.modules():
        if isinstance(module, _COPY_THEIR_INPUT):
            module.inplace = False
    return _InLayout(folded, layout).eval()


def is_fixed_batch_norm(module: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether a module is no more than a fixed scale and shift, in timm's with an activation after.

    Not in training mode, without running statistics, or if it is of another subclass or has a
    forward pass of its own, which may do more.
    """
    if type(module) not in (nn.BatchNorm2d, BatchNormAct2d) or "forward" in vars(module):
        return False
    return module.running_mean is not None and not module.training


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d, layout: torch.memory_format) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    ordered = weight.detach().contiguous(memory_format=layout)
    convolution.weight = nn.Parameter(ordered, requires_grad=False)
    convolution.bias = nn.Parameter(bias.detach(), requires_grad=False)


def _what_remains(norm: nn.BatchNorm2d) -> nn.Module:
    """timm's BatchNorm has the activation inside."""
    if isinstance(norm, BatchNormAct2d):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity()
