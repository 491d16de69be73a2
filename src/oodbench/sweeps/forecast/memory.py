"""How much memory a run takes at its peak: an estimate from shapes."""

from collections.abc import Mapping
from typing import Any

import torch
from hydra.utils import get_object

from oodbench.attacks.network_access import default_micro_batch
from oodbench.core.files import GIB
from oodbench.core.ids import located
from oodbench.sweeps.forecast.network_cost import BYTES, NetworkCost

PROCESS_BYTES = 1_050_000_000
"""Resident set of Python with its libraries and the pictures on their way. Like `COPIES` measured
on two cores: peaks of clean runs, 5 to 90 million parameters, were 20 % below to 6 % above the
estimate, those of attacks 45 % below (a transformer) to 4 % above."""

COPIES = 4
"""Of the parameters: as they were read, folded, and as the engine takes and holds them."""

BATCHES_AT_ONCE = 2


def clean_bytes(cost: NetworkCost, batch_size: int) -> int:
    """Parameters (`COPIES`), and the widest layer's input and output for two batches."""
    return _parameter_bytes(cost) + cost.widest * batch_size * BATCHES_AT_ONCE


def gradient_bytes(
    cost: NetworkCost, attack: Mapping[str, Any], batch: int, pixels: int, device: str
) -> int:
    """Parameters, and what layers keep for the pictures of one forward and backward pass.

    Args:
        cost: of the network that the gradients are of.
        attack: node of an attack; `attack.memory` in GiB bounds the activations.
        batch: pictures that are attacked together.
        pixels: of a picture.
        device: that computes.
    """
    activations = cost.kept * _at_once(attack, batch, pixels, device)
    memory = attack.get("memory")
    if isinstance(memory, int | float):
        activations = min(activations, int(memory * GIB))
    return _parameter_bytes(cost) + activations


def _at_once(attack: Mapping[str, Any], batch: int, pixels: int, device: str) -> int:
    """The whole batch where nothing is said and the attack does not split it."""
    given = attack.get("micro_batch")
    if given is None and getattr(_class_of(attack), "splits_batches", False):
        given = default_micro_batch(torch.device(device), pixels)
    return batch if given is None else min(int(given), batch)


def refills_batches(attack: Mapping[str, Any]) -> bool:
    """Whether the attack of a node, if it is one, says so of itself."""
    return "_target_" in attack and bool(getattr(_class_of(attack), "refills_batches", False))


def _class_of(attack: Mapping[str, Any]) -> Any:
    return get_object(located(dict(attack))["_target_"])


def _parameter_bytes(cost: NetworkCost) -> int:
    return COPIES * BYTES * cost.parameters
