"""How many forward and backward passes go through a classifier, and how many pictures in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from oodbench.models.classifier import Classifier


@dataclass
class Counted:
    """Of all classifiers and their copies; what only fills a batch up counts, too."""

    forward_passes: int = 0
    forward_pictures: int = 0
    backward_passes: int = 0
    backward_pictures: int = 0

    @property
    def pictures(self) -> int:
        """Of all passes: time is about proportional to them where a GPU is busy."""
        return self.forward_pictures + self.backward_pictures

    def columns(self, whose: str) -> dict[str, int]:
        """For a row."""
        return {f"{whose}_{name}": value for name, value in asdict(self).items()}


@contextmanager
def counting() -> Iterator[Counted]:
    """Count while the context lasts."""
    counts = Counted()

    def backward(gradient: Tensor) -> None:
        counts.backward_passes += 1
        counts.backward_pictures += len(gradient)

    def forward(module: nn.Module, inputs: tuple[Tensor, ...], logits: Tensor) -> None:
        if not isinstance(module, Classifier):
            return
        counts.forward_passes += 1
        counts.forward_pictures += len(logits)
        if torch.is_grad_enabled() and logits.requires_grad:
            logits.register_hook(backward)

    handle = register_module_forward_hook(forward)
    try:
        yield counts
    finally:
        handle.remove()
