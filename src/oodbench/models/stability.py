"""Whether a network's outputs for a picture depend on chance, or on the pictures beside it."""

from collections.abc import Callable

import torch
from torch import Tensor

from oodbench.core.errors import one_line
from oodbench.models.device_memory import is_out_of_memory

SHARE = 1e-2
"""Of the spread (standard deviation) of a picture's outputs, by which one of them may differ.

Batches of another size are summed in another order: in float32 that moves outputs by up to 2e-6 of
their spread, in half precision by up to 1e-3 (18 architectures of timm with random weights).
Dropout that is left on moves them by 7e-2 with a probability of 0.01, BatchNorm with the statistics
of the batch by 0.4.
"""

ROUNDING = 1e-5
"""Of the largest output, by which one may differ besides: all outputs may be nearly the same."""


def dependence(outputs: Callable[[Tensor], Tensor], images: Tensor) -> str:
    """What the outputs depend on besides the picture, "" where on nothing.

    Two pictures pass together, and the second of them twice alone. The random numbers of PyTorch
    are left as they were.

    Args:
        outputs: images -> outputs `(N, M)`, finite for `images`.
        images: two, `(2, 3, H, W)`.
    """
    device = images.device
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cards):
        before = _random_states(device)
        together = outputs(images)[1]
        try:
            alone, again = (outputs(images[1:])[0] for _ in range(2))
        except (AssertionError, RuntimeError, ValueError) as error:
            if is_out_of_memory(error):
                raise
            return f"it fails on a picture alone, not on two: {one_line(error, 120)}"
        drawn = any(
            not torch.equal(old, new)
            for old, new in zip(before, _random_states(device), strict=True)
        )
    if not _same(alone, again):
        return f"its outputs depend on chance: {_apart(alone, again)} when a picture passes again"
    if drawn:
        return "it draws random numbers, so that its outputs may depend on chance"
    if not _same(together, alone):
        return f"its outputs depend on the batch: {_apart(together, alone)} beside another picture"
    return ""


def _same(one: Tensor, other: Tensor) -> bool:
    allowed = SHARE * _spread(one) + ROUNDING * one.abs().max().item()
    return _largest(one, other) <= allowed


def _apart(one: Tensor, other: Tensor) -> str:
    share = _largest(one, other) / max(_spread(one), torch.finfo(torch.float32).tiny)
    return f"one moves by {share:.2g} of their spread"


def _largest(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()


def _spread(outputs: Tensor) -> float:
    return outputs.float().std(correction=0).item()


def _random_states(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states
