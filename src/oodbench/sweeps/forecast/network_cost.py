"""What one picture costs a network, from its layers' shapes: nothing is computed, no weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from oodbench.core.building import build

BYTES = 4
"""Bytes of a float32."""

LINEAR = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
"""Layers whose gradient to their input needs no more than their weights."""


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one picture.

    Attributes:
        macs: multiply-adds of convolutions, linear layers and attention in one forward pass.
        parameters: how many there are.
        widest: bytes that the input and output of one layer take, the largest of all layers.
        kept: bytes of the outputs that a backward pass to the picture needs: of all layers but
            those in `LINEAR`. It is about 1 to 2.3 times what PyTorch keeps.
    """

    macs: int
    parameters: int
    widest: int
    kept: int

    @property
    def gmacs(self) -> float:
        """`macs` in billions."""
        return self.macs / 1e9


def network_cost(network: dict[str, Any], height: int, width: int) -> NetworkCost:
    """Cost of a network at a size of picture.

    PyTorch's meta device holds shapes and no numbers, so that the largest network takes a second
    and no memory. A network that cannot be made there is made and run on the CPU, once.

    Args:
        network: the `network` node of a model's config.
        height, width: of the picture in pixels.

    Raises:
        ConfigError: the network cannot be constructed.
        RuntimeError, ValueError, TypeError: it does not run at that size.
    """
    try:
        with torch.device("meta"):
            return measured(_built(network), torch.empty(1, 3, height, width))
    except Exception:  # whatever a user's network does with tensors that hold no data
        return measured(_built(network), torch.zeros(1, 3, height, width))


def measured(network: nn.Module, picture: Tensor) -> NetworkCost:
    """Cost of a network for one picture `(1, 3, H, W)` on the network's device."""
    layers = [module for module in network.modules() if not list(module.children())]
    sizes: list[tuple[int, int, bool]] = []
    hooks = [layer.register_forward_hook(_noting(sizes)) for layer in layers]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(picture)
    for hook in hooks:
        hook.remove()
    return NetworkCost(
        macs=counter.get_total_flops() // 2,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        widest=max((taken + given for taken, given, _ in sizes), default=0),
        kept=sum(given for _, given, linear in sizes if not linear),
    )


def _built(network: dict[str, Any]) -> nn.Module:
    """PyTorch's global random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        made: nn.Module = build(network, "model.network")
    return made


def _noting(sizes: list[tuple[int, int, bool]]) -> Callable[[nn.Module, Any, Any], None]:
    def note(layer: nn.Module, taken: Any, given: Any) -> None:
        sizes.append((_bytes(taken), _bytes(given), isinstance(layer, LINEAR)))

    return note


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * BYTES
    if isinstance(value, tuple | list):
        return sum(_bytes(item) for item in value)
    return 0
