"""A network as an attack of another library sees it: what passes through it is watched."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from oodbench.attacks.balls import largest
from oodbench.attacks.checks import ImageError, gradient_complaint, refuse_without_gradients


class UnknownImageError(Exception):
    """Something is wrong with one of several images, but it is not known with which."""


class WatchedNetwork(nn.Module):
    """The attacked network, for one call of a library's attack on one batch.

    Libraries mix what they compute of pictures and of logits, and some take float32 pictures alone:
    the network is given pictures of its own type, and gives logits of the library's.

    A library may pass a part of the batch only, such as the images that are left: what is then seen
    cannot be told apart by image.
    """

    def __init__(
        self, network: nn.Module, count: int, dtype: torch.dtype, *, needs_gradients: bool
    ) -> None:
        """Wrap it.

        Args:
            network: images in [0, 1] -> logits `(N, K)`.
            count: images of the batch.
            dtype: of the pictures that the network takes.
            needs_gradients: refuse logits without.
        """
        super().__init__()
        self.network = network
        self.eval()
        self._count = count
        self._dtype = dtype
        self._needs_gradients = needs_gradients
        self._backward_passes = 0
        self._found_gradient = [False] * count

    @property
    def zero_gradient(self) -> list[bool]:
        """Of which images gradients were asked for, all of which were 0 everywhere."""
        return [self._backward_passes > 0 and not found for found in self._found_gradient]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images `(k, C, H, W)`.

        Raises:
            ConfigError: gradients are needed, and the network has none.
        """
        watched = torch.is_grad_enabled() and images.requires_grad
        if watched and self._needs_gradients:
            # Of a view, whose gradient comes through the network alone: the attack may have another
            # term in its loss, and would then go on without the network's.
            images = images.view_as(images)
            on_gradient: Any = images.register_hook
            on_gradient(self._see)
        logits = torch.as_tensor(self.network(images.to(self._dtype))).to(images.dtype)
        if watched and self._needs_gradients:
            refuse_without_gradients(logits)
        return logits

    def _see(self, gradients: Tensor) -> None:
        """Note gradients `(k, C, H, W)`.

        Raises:
            ImageError: that of an image is not finite.
            UnknownImageError: likewise, but of which is not known.
        """
        sizes: list[float] = largest(gradients.detach()).tolist()
        same = len(sizes) == self._count
        bad = [place for place, size in enumerate(sizes) if not math.isfinite(size)]
        if bad:
            if not same:
                raise UnknownImageError
            raise ImageError(bad[0], self._count, gradient_complaint(self._backward_passes))
        self._backward_passes += 1
        found = [size > 0 for size in sizes]
        now = found if same else [any(found)] * self._count
        self._found_gradient = [a or b for a, b in zip(self._found_gradient, now, strict=True)]
