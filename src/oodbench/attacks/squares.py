"""What the Square Attack tries: its first pattern and its next square, under each norm.

Offsets are from the clean picture, `(C, H, W)` on the CPU or wherever the pictures are. All is as
in the authors' code (max-andr/square-attack, and from there torchattacks), also the order of the
draws.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from oodbench.attacks.base import Norm

_TILES = 5
"""Tiles of the first l_2 pattern, in each direction."""

_NOTHING = 1e-12
"""Added to lengths before dividing by them."""


class Squares(Protocol):
    """How offsets are proposed under a norm."""

    def side(self, area: float, height: int, width: int) -> int:
        """Side of a square whose area is to be this many pixels."""
        ...

    def first(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """The first offset, of the shape and type of a picture."""
        ...

    def changed(self, offset: Tensor, side: int, generator: torch.Generator) -> Tensor:
        """A copy of an offset with another square; may be outside the ball under l_inf."""
        ...


class LinfSquares:
    """Vertical stripes of +-radius; a square changes by +-2 radius per channel (section 3.3)."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def side(self, area: float, height: int, width: int) -> int:
        """At least one pixel."""
        return min(max(round(math.sqrt(area)), 1), height, width)

    def first(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """One random sign for each column and channel."""
        channels, _, width = like.shape
        return (self.radius * _signs((channels, 1, width), like, generator)).expand(like.shape)

    def changed(self, offset: Tensor, side: int, generator: torch.Generator) -> Tensor:
        """One square higher or lower, to be projected."""
        window = _window(offset, side, generator)
        changed = offset.clone()
        changed[window] += 2 * self.radius * _signs((len(offset), 1, 1), offset, generator)
        return changed


class L2Squares:
    """Pyramids of length radius: a query moves what one square holds into another (section 3.4)."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def side(self, area: float, height: int, width: int) -> int:
        """At least three pixels, and odd."""
        side = min(max(round(math.sqrt(area)), 3) | 1, height, width)
        return side if side % 2 else side - 1

    def first(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """One pyramid per tile."""
        channels, height, width = like.shape
        side = max(min(height, width) // _TILES, 1)
        offset = torch.zeros_like(like)
        margin = (min(height, width) - side * _TILES) // 2
        for top in range(margin, height - side + 1, side):
            for left in range(margin, width - side + 1, side):
                tile = _pyramids(side, like, generator)
                signs = _signs((channels, 1, 1), like, generator)
                offset[:, top : top + side, left : left + side] = tile * signs
        return self._at_full_length(offset)

    def changed(self, offset: Tensor, side: int, generator: torch.Generator) -> Tensor:
        """One square emptied, its length and what was unused put into another one."""
        channels = len(offset)
        filled = _window(offset, side, generator)
        emptied = _window(offset, side, generator)
        either = torch.zeros_like(offset)
        either[filled] = either[emptied] = 1
        unused = max(self.radius**2 - float(offset.square().sum()), 0.0)
        length = (unused / channels + (offset * either).square().sum()).sqrt()
        pyramids = _pyramids(side, offset, generator) * _signs((channels, 1, 1), offset, generator)
        held = offset[filled]
        pyramids = pyramids + held / (_NOTHING + _lengths(held))
        changed = offset.clone()
        changed[emptied] = 0
        changed[filled] = pyramids / (_NOTHING + _lengths(pyramids)) * length
        return self._at_full_length(changed)

    def _at_full_length(self, offset: Tensor) -> Tensor:
        length = offset.double().norm().to(offset)
        return torch.as_tensor(offset / (length + _NOTHING) * self.radius)


def squares(norm: Norm, radius: float) -> Squares:
    """The proposals of a norm."""
    return LinfSquares(radius) if norm == "linf" else L2Squares(radius)


def _window(offset: Tensor, side: int, generator: torch.Generator) -> tuple[slice, slice, slice]:
    top, left = (
        int((size - side) * torch.rand(1, generator=generator)) for size in offset.shape[1:]
    )
    return slice(None), slice(top, top + side), slice(left, left + side)


def _signs(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator)
    return (2 * drawn - 1).sign().to(like)


def _pyramids(side: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Two of them of opposite sign, above each other or side by side, `(side, side)`, length 1."""
    half = side // 2
    both = torch.cat([_pyramid(half, side), -_pyramid(side - half, side)])
    both = both / both.norm()
    if torch.rand(1, generator=generator) > 0.5:
        both = both.T
    return torch.as_tensor(both.to(like))


def _pyramid(height: int, width: int) -> Tensor:
    """Rectangles around the middle, each smaller one higher by the next 1 / n^2; float64."""
    pyramid = torch.zeros(height, width, dtype=torch.float64)
    top, left = height // 2, width // 2
    for counter in range(max(top, left) + 1):
        rows = slice(max(top - counter, 0), min(top + counter + 1, height))
        columns = slice(max(left - counter, 0), min(left + counter + 1, width))
        pyramid[rows, columns] += 1 / (counter + 1) ** 2
    return pyramid / pyramid.norm() if height else pyramid


def _lengths(square: Tensor) -> Tensor:
    """Of every channel, `(C, 1, 1)`."""
    return torch.as_tensor(square.square().sum((1, 2), keepdim=True).sqrt())
