"""A network together with its normalisation: what every other part sees of a model."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oodbench.errors import ConfigError

CLASSES = 1000


class Classifier(nn.Module):
    """Pixels in, logits out. Normalisation is inside, so attacks and engines work in pixel space.

    In evaluation mode, and no parameter asks for a gradient; gradients with respect to the images
    flow as usual.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        name: str | None = None,
    ) -> None:
        """Wrap a network.

        Args:
            network: takes normalised float32 `(N, 3, H, W)`, gives logits `(N, 1000)`.
            mean, std: of the three channels, in [0, 1] pixel units.
            name: of the model, for messages; default: the network's class.

        Raises:
            ConfigError: `mean` or `std` are not three numbers, or a `std` is not above 0.
        """
        super().__init__()
        self.name = name or type(network).__name__
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ConfigError(
                f"model {self.name}: mean={list(mean)}, std={list(std)}: "
                "three numbers each, std above 0"
            )
        self.network = network
        # Buffers follow .to(device); they are no part of anybody's checkpoint.
        for key, values in (("mean", mean), ("std", std)):
            column = torch.tensor(values, dtype=torch.float32).view(3, 1, 1)
            self.register_buffer(key, column, persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            images: float32 `(N, 3, H, W)` in [0, 1], not normalised.

        Returns:
            float32 `(N, 1000)`, by ImageNet class index.

        Raises:
            ConfigError: the network's output has another shape.
        """
        logits = self.network((images - self.mean) / self.std)
        expected = (images.shape[0], CLASSES)
        if not isinstance(logits, Tensor) or logits.shape != expected:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ConfigError(f"model {self.name}: expected logits {expected}, found {found}")
        return logits
