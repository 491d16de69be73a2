"""What the Square Attack tries: its first pattern and its next square, under each norm.

Offsets are from the clean pictures, `(k, C, H, W)` wherever the pictures are; the draws are made on
the CPU, and no step waits for the device. All is as in the authors' code (max-andr/square-attack),
also the order of the draws. Later copies of it, auto-attack's and torchattacks', add up the length
that an l_2 query moves over all channels, where the authors keep that of each channel.
"""

import math
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from oodbench.attacks.base import Norm
from oodbench.attacks.host import to_device

_TILES = 5
"""Tiles of the first l_2 pattern, in each direction."""

_NOTHING = 1e-12
"""Added to lengths before dividing by them."""


class Squares(Protocol):
    """How offsets are proposed under a norm."""

    def side(self, area: float, height: int, width: int) -> int:
        """Side of a square whose area is to be this many pixels."""
        ...

    def first(self, like: Tensor, generators: list[torch.Generator]) -> Tensor:
        """The first offsets, of the shape and type of the pictures."""
        ...

    def changed(self, offsets: Tensor, side: int, generators: Iterable[torch.Generator]) -> Tensor:
        """A copy with another square in each; may be outside the ball under l_inf."""
        ...


class LinfSquares:
    """Vertical stripes of +-radius; a square changes by +-2 radius per channel (section 3.3)."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def side(self, area: float, height: int, width: int) -> int:
        """At least one pixel."""
        return min(max(round(math.sqrt(area)), 1), height, width)

    def first(self, like: Tensor, generators: list[torch.Generator]) -> Tensor:
        """One random sign for each column and channel."""
        _, channels, _, width = like.shape
        signs = [_signs((channels, 1, width), generator) for generator in generators]
        return (self.radius * _like(torch.stack(signs), like)).expand(like.shape)

    def changed(self, offsets: Tensor, side: int, generators: Iterable[torch.Generator]) -> Tensor:
        """One square higher or lower, to be projected."""
        _, channels, height, width = offsets.shape
        corners, signs = [], []
        for generator in generators:
            corners.append(_corner(height, width, side, generator))
            signs.append(_signs((channels, 1, 1), generator))
        heights = 2 * self.radius * _like(torch.stack(signs), offsets)
        return torch.where(_inside(corners, side, offsets), offsets + heights, offsets)


class L2Squares:
    """Pyramids of length radius: a query moves what one square holds into another (section 3.4)."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def side(self, area: float, height: int, width: int) -> int:
        """At least three pixels, and odd."""
        side = min(max(round(math.sqrt(area)), 3) | 1, height, width)
        return side if side % 2 else side - 1

    def first(self, like: Tensor, generators: list[torch.Generator]) -> Tensor:
        """One pyramid per tile."""
        each = zip(like, generators, strict=True)
        return torch.stack([self._first(one, generator) for one, generator in each])

    def changed(self, offsets: Tensor, side: int, generators: Iterable[torch.Generator]) -> Tensor:
        """One square emptied, its length and what was unused put into another one."""
        each = zip(offsets, generators, strict=True)
        return torch.stack([self._changed(one, side, generator) for one, generator in each])

    def _first(self, like: Tensor, generator: torch.Generator) -> Tensor:
        channels, height, width = like.shape
        side = max(min(height, width) // _TILES, 1)
        offset = torch.zeros_like(like)
        margin = (min(height, width) - side * _TILES) // 2
        for top in range(margin, height - side + 1, side):
            for left in range(margin, width - side + 1, side):
                tile = _pyramids(side, like, generator)
                signs = _like(_signs((channels, 1, 1), generator), like)
                offset[:, top : top + side, left : left + side] = tile * signs
        return self._at_full_length(offset)

    def _changed(self, offset: Tensor, side: int, generator: torch.Generator) -> Tensor:
        channels, height, width = offset.shape
        filled = _window(_corner(height, width, side, generator), side)
        emptied = _window(_corner(height, width, side, generator), side)
        either = torch.zeros_like(offset)
        either[filled] = either[emptied] = 1
        unused = (self.radius**2 - offset.square().sum().double()).clamp(min=0) / channels
        length = (unused.to(offset.dtype) + _lengths(offset * either).square()).sqrt()
        pyramids = _pyramids(side, offset, generator)
        pyramids = pyramids * _like(_signs((channels, 1, 1), generator), offset)
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


def _corner(height: int, width: int, side: int, generator: torch.Generator) -> tuple[int, int]:
    """Of a square, its top and left."""
    top, left = (
        int((size - side) * torch.rand(1, generator=generator)) for size in (height, width)
    )
    return top, left


def _window(corner: tuple[int, int], side: int) -> tuple[slice, slice, slice]:
    top, left = corner
    return slice(None), slice(top, top + side), slice(left, left + side)


def _inside(corners: list[tuple[int, int]], side: int, like: Tensor) -> Tensor:
    """Which pixels are in the square of their picture, bool `(k, 1, H, W)`."""
    _, _, height, width = like.shape
    first = to_device(torch.tensor(corners), like.device)
    down, right = (
        torch.arange(size, device=like.device) - start[:, None]
        for size, start in zip((height, width), first.T, strict=True)
    )
    rows, columns = ((index >= 0) & (index < side) for index in (down, right))
    return torch.as_tensor(rows[:, None, :, None] & columns[:, None, None, :])


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator)
    return (2 * drawn - 1).sign()


def _like(drawn: Tensor, like: Tensor) -> Tensor:
    return to_device(drawn.to(like.dtype), like.device)


def _pyramids(side: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Two of them of opposite sign, above each other or side by side, `(side, side)`, length 1."""
    half = side // 2
    both = torch.cat([_pyramid(half, side), -_pyramid(side - half, side)])
    both = both / both.norm()
    if torch.rand(1, generator=generator) > 0.5:
        both = both.T
    return _like(both, like)


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
