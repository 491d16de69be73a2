"""Checks of what an attack is given and what it gives back."""

import math

import torch
from torch import Tensor

from oodbench.attacks.base import AttackResult
from oodbench.errors import AttackError, ConfigError

TOLERANCE = 1e-6
"""How far a float32 picture may leave the ball through rounding."""


def check_result(clean: Tensor, result: AttackResult, eps: float | None) -> Tensor:
    """Hold an attack's pictures against the pixel range and the ball.

    Args:
        clean: float `(N, 3, H, W)` in [0, 1], the attacked images.
        result: what the attack made of them.
        eps: l_inf radius in [0, 1] pixel units; None: only the range is checked.

    Returns:
        float32 `(N,)`: the largest change of a pixel, max |x' - x|, of each image.

    Raises:
        AttackError: a picture has another shape, is not finite, leaves [0, 1], or is further than
            `eps` + 1e-6 from its clean image.
    """
    images = result.images
    if images.shape != clean.shape:
        raise AttackError(
            f"the attack returned images {tuple(images.shape)}, expected {tuple(clean.shape)}"
        )
    pixels = images.flatten(1)
    _refuse(~torch.isfinite(pixels).all(1), "has pixels that are not finite")
    _refuse(((pixels < 0) | (pixels > 1)).any(1), "has pixels outside [0, 1]")
    linf = (pixels - clean.flatten(1)).abs().amax(1)
    if eps is not None:
        _refuse(
            linf > eps + TOLERANCE,
            f"is {linf.max().item() if len(linf) else 0:.6g} from its clean image, beyond "
            f"attack.eps={eps:.6g}: make attack.eps the radius of the attack's own arguments",
        )
    return linf.float()


def check_not_negative(key: str, value: float) -> float:
    """Give `value` back if it is a finite number of at least 0.

    Args:
        key: where it stands in the config.
        value: what stands there.

    Raises:
        ConfigError: it is something else, such as the string that YAML makes of `8/255`.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"{key}={value}: must be a number of at least 0, such as 0.06 or ${{frac:8,255}}"
        )
    return float(value)


def _refuse(bad: Tensor, complaint: str) -> None:
    if bad.any():
        position = int(bad.nonzero()[0])
        raise AttackError(f"image {position} of the attacked batch of {len(bad)} {complaint}")
