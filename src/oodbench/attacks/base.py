"""What every attack accepts and returns."""

import hashlib
from dataclasses import dataclass, field, fields
from inspect import signature
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from oodbench.metrics.attack_traits import AttackTraits

_MASK = (1 << 63) - 1  # torch.Generator.manual_seed takes signed 64-bit integers


Norm = Literal["linf", "l2"]
"""How far a picture is from its clean one: the largest change of a value, or the root of the sum
of the squared changes of all values, both in [0, 1] pixel units."""


@dataclass(frozen=True)
class AttackResult:
    """What an attack made of a batch.

    Attributes:
        images: float32 `(N, 3, H, W)` in [0, 1]: the pictures whose prediction is scored.
        succeeded: bool `(N,)`: the attack reached its goal by its own criterion.
        iterations: int64 `(N,)`: gradient steps until success, or all that were taken.
        columns: further per-image values `(N,)` for the records, such as the target class.
        any_error: any wrong prediction is a success; otherwise the class in the column `target` is.
    """

    images: Tensor
    succeeded: Tensor
    iterations: Tensor
    columns: dict[str, Tensor] = field(default_factory=dict)
    any_error: bool = True


class Attack(Protocol):
    """An adversary in pixel space.

    `eps` is the radius in [0, 1] pixel units (None: no such bound) under `norm`, which the caller
    checks. `needs_gradients`: of the attacked classifier, which must then compute in PyTorch.

    An attack may say more of itself: the other attributes of `AttackTraits`, and two of its
    class, False where they are missing. `splits_batches`: it sends no more than `micro_batch`
    pictures through the network at once, by default 8 on a CPU and 256 on CUDA.
    `refills_batches`: the places of those that are done are taken by others of the batch that it
    is given. One whose call has an argument `clean_logits` (`Tensor | None`) is given them where
    they are known, which spares it a pass: a run knows them for attacks that need gradients.
    """

    name: str
    eps: float | None
    norm: Norm
    needs_gradients: bool

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, 1000)`; in eval mode, its parameters need no
                gradient. The attack leaves it that way.
            images: float32 `(N, 3, H, W)` in [0, 1].
            labels: int64 `(N,)`.
            seeds: one integer per image (`image_seed`); the only source of randomness.
        """
        ...


def attacked(
    attack: Attack,
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    seeds: list[int],
    clean_logits: Tensor | None,
) -> AttackResult:
    """Call an attack, with the classifier's own clean logits `(N, K)` where it takes them."""
    takes_logits = "clean_logits" in signature(attack).parameters
    known: dict[str, Any] = {"clean_logits": clean_logits} if takes_logits else {}
    return attack(classifier, images, labels, seeds, **known)


def known_logits(attack: Attack, logits: Tensor) -> Tensor | None:
    """A run's clean logits, where they are the attacked classifier's own: without gradients, its
    engine may compute in another way."""
    return logits if traits_of(attack).needs_gradients else None


def traits_of(attack: Attack) -> AttackTraits:
    """What the attack says of itself, with the defaults where it says nothing."""
    names = (field.name for field in fields(AttackTraits))
    return AttackTraits(**{name: getattr(attack, name) for name in names if hasattr(attack, name)})


def generators_of(images: Tensor, seeds: list[int]) -> list[torch.Generator]:
    """One generator per image, from its seed alone."""
    return [generator_of(seed) for _, seed in zip(images, seeds, strict=True)]


def image_seed(seed: int, image: str) -> int:
    """A seed that depends on the run's seed and the image's path alone.

    Args:
        seed: the run's seed.
        image: path of the image below the benchmark's root, with forward slashes.

    Returns:
        The first 8 bytes (big endian) of sha256("<seed>:<image>"), in 0..2^63 - 1.
    """
    digest = hashlib.sha256(f"{seed}:{image}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") & _MASK


def generator_of(seed: int) -> torch.Generator:
    """A generator on the CPU that depends on an image's seed alone."""
    return torch.Generator().manual_seed(seed)
