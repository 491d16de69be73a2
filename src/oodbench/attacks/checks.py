"""Checks of what an attack is given and what it gives back."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from oodbench.attacks.base import AttackResult, Norm
from oodbench.core.errors import AttackError, ConfigError

TOLERANCE = 1e-6
"""How far a float32 picture may leave the ball through rounding."""

NO_GRADIENTS = (
    "attack: takes gradients, which the model has none of: use attack=square, which asks for "
    "predictions only, or the model in PyTorch"
)

NORMS: tuple[Norm, ...] = ("linf", "l2")


class ImageError(AttackError):
    """An attack broke a promise at one image of its batch.

    Attributes:
        position: of the image in the batch.
        complaint: what is wrong, worded to follow the image's name.
    """

    def __init__(self, position: int, count: int, complaint: str) -> None:
        super().__init__(f"image {position} of the attacked batch of {count} {complaint}")
        self.position = position
        self.complaint = complaint

    def among(self, places: list[int], count: int) -> "ImageError":
        """The same of a batch of `count` images, in which the images of this one have `places`."""
        return ImageError(places[self.position], count, self.complaint)


@dataclass(frozen=True)
class Distances:
    """How far pictures are from their clean ones, float32 `(N,)`, in [0, 1] pixel units."""

    linf: Tensor
    l2: Tensor


def check_result(
    clean: Tensor, result: AttackResult, eps: float | None, norm: Norm = "linf"
) -> Distances:
    """Check that an attack's pictures are in the pixel range and in the ball.

    Args:
        clean: float `(N, 3, H, W)` in [0, 1], the attacked images.
        result: what the attack made of them.
        eps: radius in [0, 1] pixel units; None: only the range is checked.
        norm: of the ball.

    Returns:
        The distances under both norms.

    Raises:
        AttackError: a picture has another shape, is not finite, leaves [0, 1], or is further than
            `eps` + 1e-6 from its clean image. All but the first are `ImageError`s.
    """
    images = result.images
    if images.shape != clean.shape:
        raise AttackError(
            f"the attack returned images {tuple(images.shape)}, expected {tuple(clean.shape)}"
        )
    pixels = images.flatten(1)
    refuse(~torch.isfinite(pixels).all(1), "has pixels that are not finite")
    refuse(((pixels < 0) | (pixels > 1)).any(1), "has pixels outside [0, 1]")
    # In float64: the root of 150,000 squares in float32 is itself off by more than the tolerance.
    change = pixels.double() - clean.flatten(1).double()
    linf, l2 = change.abs().amax(1), torch.linalg.vector_norm(change, dim=1)
    if eps is not None:
        distance = linf if norm == "linf" else l2
        beyond = distance > eps + TOLERANCE
        refuse(
            beyond,
            f"is {distance[beyond][0] if beyond.any() else 0:.6g} ({norm}) from its clean "
            f"image, beyond attack.eps={eps:.6g}: make attack.eps the radius of the attack's own "
            "arguments",
        )
    return Distances(linf.float(), l2.float())


def check_range(images: Tensor) -> None:
    """Refuse images that are not in [0, 1], such as normalised ones.

    Raises:
        ImageError: a pixel is outside, or not a number.
    """
    inside = (images >= 0) & (images <= 1)
    refuse(~inside.flatten(1).all(1), "has pixels outside [0, 1] before the attack")


def check_eps(eps: float, norm: Norm) -> float:
    """Return a radius if it is a valid one.

    Args:
        eps: in [0, 1] pixel units; at most 1 under l_inf, where 1 is black to white.
        norm: of the ball.

    Raises:
        ConfigError: it is negative, above 1 (l_inf), or no number.
    """
    radius = check_not_negative("attack.eps", eps)
    if norm == "linf" and radius > 1:
        raise ConfigError(
            f"attack.eps={eps}: above 1, the whole pixel range: write {eps}/255 as "
            f"${{frac:{eps:g},255}}"
        )
    return radius


def check_norm(norm: str, available: tuple[Norm, ...] = NORMS) -> Norm:
    """Return a norm if the attack supports it.

    Raises:
        ConfigError: it does not.
    """
    for known in available:
        if norm == known:
            return known
    raise ConfigError(f"attack.norm={norm}: this attack has {', '.join(available)}")


def check_not_negative(key: str, value: float) -> float:
    """Return `value` if it is a finite number of at least 0.

    Args:
        key: where it is in the config.
        value: what is there.

    Raises:
        ConfigError: it is something else, such as the string that YAML makes of `8/255`.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"{key}={value}: must be a number of at least 0, such as 0.06 or ${{frac:8,255}}"
        )
    return float(value)


def check_count(key: str, value: int) -> int:
    """Return `value` if it is an integer of at least 1.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{key}={value}: must be an integer of at least 1")
    return value


def refuse_nan(
    logits: Tensor, positions: Tensor, count: int, steps: int | Tensor, step: str = "iteration"
) -> None:
    """Refuse logits `(k, K)` that are not numbers.

    Args:
        logits: of some images of a batch.
        positions: int64 `(k,)`, where these stand in the batch.
        count: how many images the batch has.
        steps: where the attack is, for all of them or int64 `(k,)`.
        step: what it counts.

    Raises:
        ImageError: names the first image.
    """
    bad = torch.isnan(logits).any(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        where = int(steps[first]) if isinstance(steps, Tensor) else steps
        raise ImageError(int(positions[first]), count, nan_complaint(where, step))


def nan_complaint(number: int, step: str = "iteration") -> str:
    """What is said of an image whose logits are not numbers.

    Args:
        number: where the attack was.
        step: what it counts.
    """
    return f"gives logits that are NaN at {step} {number}"


def gradient_complaint(number: int) -> str:
    """What is said of an image whose gradient is not a number.

    Args:
        number: iteration of the attack.
    """
    return (
        f"gives a gradient that is NaN or infinite at iteration {number}: no attack with gradients "
        "means anything; attack=square goes by predictions only"
    )


def refuse_bad_gradients(bad: Tensor, positions: Tensor, count: int, iteration: int) -> None:
    """Refuse gradients that are not numbers.

    Args:
        bad: bool `(k,)`, of some images of a batch.
        positions: int64 `(k,)`, where these stand in the batch.
        count: how many images the batch has.
        iteration: where the attack is.

    Raises:
        ImageError: names the first image.
    """
    if bad.any():
        first = int(positions[bad][0])
        raise ImageError(first, count, gradient_complaint(iteration))


def refuse_without_gradients(logits: Tensor) -> None:
    """Refuse logits of pictures with gradients that have none, of a network outside PyTorch.

    Raises:
        ConfigError: says what to use instead.
    """
    if not logits.requires_grad:
        raise ConfigError(NO_GRADIENTS)


def refuse(bad: Tensor, complaint: str) -> None:
    """Raise an `ImageError` for the first image of a batch that is marked in bool `(N,)`."""
    if bad.any():
        raise ImageError(int(bad.nonzero()[0]), len(bad), complaint)
