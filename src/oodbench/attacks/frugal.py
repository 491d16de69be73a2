"""Gradients in less memory: a block keeps its input alone and is computed again on the way back.

Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

_CONTAINERS = (nn.Sequential, nn.ModuleList)
_FLAG = "grad_checkpointing"
"""Where timm's networks and their stages keep whether they are checkpointed."""


@contextmanager
def checkpointed(network: nn.Module) -> Iterator[None]:
    """Per block while the context lasts; the network is as before afterwards.

    A timm network does it itself (`set_grad_checkpointing`), in evaluation mode too. In others the
    blocks are what `blocks` finds. Logits and gradients keep their bits: the same operations run.
    """
    own = [module for module in network.modules() if hasattr(module, "set_grad_checkpointing")]
    before = {module: vars(module)[_FLAG] for module in network.modules() if _FLAG in vars(module)}
    wrapped = [] if own else blocks(network)
    try:
        for module in own:
            switch: Any = module.set_grad_checkpointing
            switch()
        for block in wrapped:
            vars(block)["forward"] = partial(checkpoint, block.forward, use_reentrant=False)
        yield
    finally:
        for block in wrapped:
            vars(block).pop("forward", None)  # the method of the class shows again
        for module, value in before.items():
            setattr(module, _FLAG, value)


def blocks(network: nn.Module) -> list[nn.Module]:
    """What the outermost sequences and lists of a network hold, sequences within them opened.

    Of a torchvision ResNet the residual blocks, of a transformers encoder the layers. A single
    layer is no block: it keeps little but its input. A module that is used twice counts once.
    """
    found: dict[nn.Module, None] = {}
    for child in network.children():
        if isinstance(child, _CONTAINERS):
            found.update(dict.fromkeys(_held(child)))
        else:
            found.update(dict.fromkeys(blocks(child)))
    return list(found)


def _held(container: nn.Module) -> list[nn.Module]:
    held: list[nn.Module] = []
    for part in container.children():
        if isinstance(part, _CONTAINERS):
            held += _held(part)
        elif next(part.children(), None) is not None and "forward" not in vars(part):
            held.append(part)
    return held
