"""The image tower of a model of pictures and texts, and what it compares pictures with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ZeroShotNetwork(nn.Module):
    """Cosine of a picture's features with those of each class's sentences, scaled: logits.

    Args:
        images: gives features `(N, D)` of normalised images `(N, 3, H, W)`.
        texts: features of the classes `(D, 1000)`, each column of length 1.
        scale: that the model has learned, a factor of the cosines.
        bias: that it has learned, added to them; 0 where it has none.
    """

    texts: Tensor

    def __init__(
        self, images: nn.Module, texts: Tensor, *, scale: float, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.images = images
        self.scale = scale
        self.bias = bias
        self.register_buffer("texts", texts)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(N, 1000)`."""
        features = F.normalize(self.images(images), dim=-1)
        logits: Tensor = self.scale * features @ self.texts + self.bias
        return logits


def mean_direction(features: Tensor) -> Tensor:
    """The direction of a class from those of its sentences, of length 1.

    Args:
        features: `(n, D)` of the class's sentences; each is brought to length 1, then their mean is
            (Radford et al. 2021).
    """
    mean = F.normalize(features, dim=-1).mean(dim=0)
    return F.normalize(mean, dim=0)


def stacked(classes: list[Tensor]) -> Tensor:
    """Directions of the classes as columns, `(D, 1000)`."""
    return torch.stack(classes, dim=1)
