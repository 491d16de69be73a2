"""The balls that attacks stay in, and what a step of steepest descent is in each."""

from typing import Protocol

import torch
from torch import Tensor

from oodbench.attacks.base import Norm

_SMALLEST_NORM = 1e-12
"""Below this a gradient counts as one without a direction."""


class Ball(Protocol):
    """All pictures within a radius of a clean one. Tensors are `(N, C, H, W)`."""

    radius: float

    def direction(self, gradients: Tensor) -> Tensor:
        """Per image, the step of length 1 that descends fastest (to be subtracted)."""
        ...

    def size(self, gradients: Tensor) -> Tensor:
        """Per image `(N,)`, 0 where a gradient gives no full step; NaN or infinite if it is so."""
        ...

    def project(self, offsets: Tensor) -> Tensor:
        """Per image, the offset from the clean image that is nearest within the ball."""
        ...

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """A uniform offset of one image within the ball, float64 `(C, H, W)` on the CPU."""
        ...


class LinfBall:
    """Every value changes by at most the radius (Madry et al., ICLR 2018)."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def direction(self, gradients: Tensor) -> Tensor:
        """The sign, 0 where the gradient is 0."""
        return gradients.sign()

    def size(self, gradients: Tensor) -> Tensor:
        """The largest absolute value."""
        return largest(gradients)

    def project(self, offsets: Tensor) -> Tensor:
        """Each value clamped."""
        return offsets.clamp(-self.radius, self.radius)

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Each value uniform."""
        # In float64, so that the numbers are the same whatever the type of the images.
        offset = torch.empty(shape, dtype=torch.float64)
        return offset.uniform_(-self.radius, self.radius, generator=generator)


class L2Ball:
    """The root of the sum of all squared changes is at most the radius."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def direction(self, gradients: Tensor) -> Tensor:
        """The gradient, scaled to length 1; shorter where it is below 1e-12, see `size`."""
        return gradients / _lengths(gradients).clamp(min=_SMALLEST_NORM).to(gradients.dtype)

    def size(self, gradients: Tensor) -> Tensor:
        """The length, 0 below 1e-12: its steps are shorter than they should be."""
        lengths = _lengths(gradients).flatten()
        return torch.where(lengths < _SMALLEST_NORM, torch.zeros_like(lengths), lengths)

    def project(self, offsets: Tensor) -> Tensor:
        """Scaled down to the radius if it is longer."""
        scale = (self.radius / _lengths(offsets).clamp(min=_SMALLEST_NORM)).clamp(max=1)
        return (offsets.double() * scale).to(offsets.dtype)

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """A normal direction, at a radius whose power of the dimension is uniform."""
        offset = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        share = torch.rand((), dtype=torch.float64, generator=generator)
        length = self.radius * share ** (1 / offset.numel())
        return torch.as_tensor(offset * (length / offset.norm()))


def ball(norm: Norm, radius: float) -> Ball:
    """The ball of a norm."""
    return LinfBall(radius) if norm == "linf" else L2Ball(radius)


def largest(gradients: Tensor) -> Tensor:
    """The largest absolute value of each image, `(N,)`."""
    return gradients.abs().flatten(1).amax(1)


def _lengths(values: Tensor) -> Tensor:
    """l_2 lengths, float64 `(N, 1, 1, 1)`; in float32 the sum would lose more than 1e-6."""
    lengths: Tensor = torch.linalg.vector_norm(values.double(), dim=(1, 2, 3), keepdim=True)
    return lengths
