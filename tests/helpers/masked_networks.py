"""Networks whose gradients are masked; the one inside is the twin that gives the truth."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Mask = Callable[[Tensor], Tensor]
"""The gradient with respect to a batch `(k, C, H, W)` -> what the attack is given instead."""


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, mask: Mask) -> Tensor:
        context.mask = mask
        return images.view_as(images)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.mask(gradients[0]), None


class MaskedNetwork(nn.Module):
    """The same logits, other gradients."""

    def __init__(self, network: nn.Module, mask: Mask) -> None:
        super().__init__()
        self.network = network
        self.mask = mask
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.network(_Through.apply(images, self.mask)))


class AtPass:
    """From one backward pass on, the gradients of one row (None: of all) are multiplied."""

    def __init__(self, number: int, row: int | None, factor: float) -> None:
        self.number = number
        self.row = row
        self.factor = factor
        self.passes = 0

    def __call__(self, gradients: Tensor) -> Tensor:
        changed = gradients.clone()
        if self.passes >= self.number:
            changed[slice(None) if self.row is None else self.row] *= self.factor
        self.passes += 1
        return changed
