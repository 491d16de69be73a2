"""What every engine takes and gives."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]
"""images float32 `(N, 3, H, W)` in [0, 1] on the device -> logits float32 `(N, 1000)`."""


class Engine(Protocol):
    """A way to compute logits."""

    def prepare(self, classifier: nn.Module, example: Tensor) -> Forward:
        """A forward pass for images of the example's size.

        Args:
            classifier: on the device, in eval mode.
            example: one image, float32 `(1, 3, H, W)`.
        """
        ...
