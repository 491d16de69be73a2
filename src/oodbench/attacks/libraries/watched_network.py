"""A network as an attack of another library sees it: what passes through it is watched."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.balls import largest
from oodbench.attacks.checks import ImageError, gradient_complaint, refuse_without_gradients
from oodbench.attacks.gradient_watch import is_sparse

_SMALLEST = 1e-8
"""What Adam, and attacks that divide by a gradient, add to it."""


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
        self,
        network: nn.Module,
        classes: Tensor,
        dtype: torch.dtype,
        *,
        targeted: bool,
        needs_gradients: bool,
    ) -> None:
        """Wrap it.

        Args:
            network: images in [0, 1] -> logits `(N, K)`.
            classes: int64 `(N,)` of the batch, the targets of a targeted attack, else the labels.
            targeted: the attack wants these classes, or any other.
            dtype: of the pictures that the network takes.
            needs_gradients: refuse logits without.
        """
        super().__init__()
        self.network = network
        self.eval()
        self._count = len(classes)
        self._classes = classes
        self._sign = 1 if targeted else -1
        self._first: Tensor | None = None
        self._nearest: Tensor | None = None
        self._dtype = dtype
        self._needs_gradients = needs_gradients
        self._backward_passes = 0
        self._with_gradient = torch.zeros_like(classes)
        self._with_large_gradient = torch.zeros_like(classes)

    @property
    def stuck(self) -> Tensor:
        """bool `(N,)`, it is known that no later pass came nearer to the goal than the first."""
        if self._first is None or self._nearest is None:
            return torch.zeros_like(self._classes, dtype=torch.bool)
        return self._nearest >= self._first

    @property
    def zero_gradient(self) -> Tensor:
        """bool `(N,)`, gradients were asked for, and all of them were 0 (nearly) everywhere."""
        return (self._with_gradient == 0) & (self._backward_passes > 0)

    @property
    def passes_without(self) -> Tensor:
        """int64 `(N,)`, backward passes whose gradient was too small for an attack that scales it.

        0 where it was large enough in most: of a class that the network lacks, it is always 0.
        """
        without = self._backward_passes - self._with_large_gradient
        return torch.where(2 * without >= self._backward_passes, without, 0)

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
        if len(logits) == self._count:
            self._compare(logits.detach())
        return logits

    def _compare(self, logits: Tensor) -> None:
        """Note the losses of the whole batch, of which what is low is near the goal."""
        values = self._sign * F.cross_entropy(logits, self._classes, reduction="none")
        if self._first is None:
            self._first = values
        else:
            nearest = values if self._nearest is None else self._nearest
            self._nearest = torch.minimum(nearest, values)

    def _see(self, gradients: Tensor) -> None:
        """Note gradients `(k, C, H, W)`.

        Raises:
            ImageError: that of an image is not finite.
            UnknownImageError: likewise, but of which is not known.
        """
        sizes = largest(gradients.detach())
        same = len(sizes) == self._count
        bad = [place for place, size in enumerate(sizes.tolist()) if not math.isfinite(size)]
        if bad:
            if not same:
                raise UnknownImageError
            raise ImageError(bad[0], self._count, gradient_complaint(self._backward_passes))
        self._backward_passes += 1
        found = ~is_sparse(gradients.detach())
        large = found & (sizes >= _SMALLEST)
        self._with_gradient += found if same else found.any()
        self._with_large_gradient += large if same else large.any()
