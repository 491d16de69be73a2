"""Which module takes what a convolution gives, and copies in which such modules are replaced."""

import copy
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TypeGuard, TypeVar

from torch import Tensor, nn

_Taker = TypeVar("_Taker", bound=nn.Module)


def sharing_copy(network: nn.Module) -> nn.Module:
    """A copy that shares all weights with the network."""
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, dict(shared))


def pairs(
    network: nn.Module, example: Tensor, takes: Callable[[nn.Module], TypeGuard[_Taker]]
) -> list[tuple[nn.Conv2d, _Taker]]:
    """Convolutions and the modules that take their outputs as they are, each used once.

    That nothing else takes the output too is not seen here, but in the logits.

    Args:
        network: in evaluation mode.
        example: one image `(1, C, H, W)`, to see what follows what.
        takes: whether a module is of the kind that is looked for.
    """
    outputs: dict[int, tuple[nn.Conv2d, Tensor, int]] = {}  # holds them: an id is free again after
    found: list[tuple[nn.Conv2d, _Taker]] = []
    used: list[nn.Module] = []

    def after_convolution(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        used.append(module)
        outputs[id(output)] = module, output, version(output)

    def before_taker(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert takes(module)
        used.append(module)
        convolution, _, before = outputs.get(id(inputs[0]), (None, None, 0))
        if convolution is not None and version(inputs[0]) == before:
            found.append((convolution, module))

    handles = [
        module.register_forward_hook(after_convolution)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ] + [
        module.register_forward_pre_hook(before_taker)
        for module in network.modules()
        if takes(module)
    ]
    try:
        network(example)
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in found if all(used.count(module) == 1 for module in pair)]


def replace(network: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    """Put other modules in the places of some of a network's, which they may hold themselves."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if child in replacements:
                setattr(module, name, replacements[child])


def version(tensor: Tensor) -> int:
    """Grows when a tensor is written to; 0 of one that does not count."""
    return 0 if tensor.is_inference() else tensor._version
