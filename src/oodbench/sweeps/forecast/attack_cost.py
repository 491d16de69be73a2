"""How often an attack sends a picture through the network, counted on one that it cannot fool."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from oodbench.attacks.base import Attack, attacked, known_logits
from oodbench.attacks.source import NeedsSource
from oodbench.core.building import build

SIDE = 16
PICTURES = 2
CLASSES = 1000

BACKWARD = 2
"""Forward passes that take as long as a backward pass: it has two products where they have one."""


@dataclass(frozen=True)
class PassCounts:
    """Passes for one picture that withstands the attack; one that is fooled early costs less.

    Attributes:
        forward, backward: through the attacked network, those that score it included.
        source_forward, source_backward: through the source of a transfer attack, whose pictures
            are made once for all attacked models.
    """

    forward: float = 1
    backward: float = 0
    source_forward: float = 0
    source_backward: float = 0

    @property
    def weight(self) -> float:
        """All passes through the attacked network, in forward passes."""
        return self.forward + BACKWARD * self.backward

    @property
    def source_weight(self) -> float:
        """The same of the source."""
        return self.source_forward + BACKWARD * self.source_backward


def attack_passes(attack: Mapping[str, Any]) -> PassCounts:
    """Passes of a config's `attack` node; one forward pass where there is no attack.

    The attack is carried out on two tiny pictures and a network that no change of theirs fools.

    Raises:
        ConfigError: the attack refuses its arguments.
    """
    if "_target_" not in attack:
        return PassCounts()
    built: Attack = build(dict(attack), "attack")
    if isinstance(built, NeedsSource):
        forward, backward = _counted(built.inner, predicted=False)
        return PassCounts(2, 0, forward, backward)
    forward, backward = _counted(built, predicted=True)
    # One more to know the clean prediction, one to score the result.
    return PassCounts(forward + 2, backward)


def _counted(attack: Attack, *, predicted: bool) -> tuple[float, float]:
    """Forward and backward passes for a picture, whose clean logits the run may know already."""
    network = _Steadfast()
    images = torch.rand(PICTURES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    labels, seeds = torch.zeros(PICTURES, dtype=torch.int64), list(range(PICTURES))
    known = known_logits(attack, _Steadfast()(images)) if predicted else None
    attacked(attack, network, images, labels, seeds, known)
    return network.forwarded / PICTURES, network.backwarded / PICTURES


class _Steadfast(nn.Module):
    """Predicts class 0 whatever it sees, with gradients that are not 0; counts pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.forwarded = self.backwarded = 0
        generator = torch.Generator().manual_seed(1)
        slopes = torch.rand(3 * SIDE**2, CLASSES, generator=generator) * 1e-3
        # A parameter, because attacks look at one for the device.
        self.slopes = nn.Parameter(slopes, requires_grad=False)
        self.register_buffer("bias", torch.zeros(CLASSES))
        self.bias: Tensor
        self.bias[0] = 10.0
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.forwarded += len(images)
        logits = images.flatten(1) @ self.slopes + self.bias
        if logits.requires_grad:
            hooked: Any = logits
            hooked.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backwarded += len(gradient)
