"""The schedule of a training: learning rates, the order of the pictures, their batches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodbench.probe.schema import RecipeConfig

Indices = NDArray[np.int64]


def learning_rate(recipe: RecipeConfig, epoch: int) -> float:
    """`lr` x `gamma` for every milestone up to this epoch (counted from 0)."""
    rate = recipe.lr
    for milestone in recipe.milestones:
        if milestone <= epoch:
            rate *= recipe.gamma
    return rate


def epoch_order(n: int, *, seed: int, epoch: int) -> Indices:
    """A permutation int64 `(n,)` of the pictures that depends on seed and epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def batches(order: Indices, batch_size: int) -> list[Indices]:
    """Consecutive pieces of `batch_size`; the last may be smaller, and nothing is left out."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def share(pieces: Sequence[Indices], *, rank: int, world: int) -> list[Indices]:
    """One process's part of every batch; may be empty in a small one."""
    return [piece[rank::world] for piece in pieces]
