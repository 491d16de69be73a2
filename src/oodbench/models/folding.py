"""A faster private copy of a network: BatchNorm folded into convolutions, weights in one layout.

Half of the time of a gradient step of a small network is BatchNorm, which in evaluation mode is a
fixed scale and shift that the convolution before it can carry (Jacob et al., CVPR 2018, section
3.2, as `torch.nn.utils.fusion` computes it).
"""

import copy
import logging
from itertools import chain
from typing import TypeGuard
from weakref import WeakKeyDictionary

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from oodbench.models.device_memory import free_bytes
from oodbench.models.full_float32 import full_float32

TOLERANCE = 1e-4
"""Logits of the copy may differ by this from the network's, or it is not used."""

CUDA_TOLERANCE = 1e-3
"""Likewise: each layer may get another algorithm there, which adds up in another order."""

MAX_PARAMETERS = 200_000_000
"""A network larger than this (0.8 GB of weights) is not copied on a CPU."""

MAX_SHARE = 0.1
"""Of the free memory of a CUDA device, that a copy may take."""

_COPY_THEIR_INPUT = (nn.Hardtanh, nn.SiLU, nn.Hardswish)
"""Activations whose gradient needs their input: in place, autograd first makes a copy of it.
nn.Hardtanh includes ReLU6."""

log = logging.getLogger(__name__)

State = tuple[torch.memory_format, tuple[tuple[int, int], ...]]


class FoldedNetworks:
    """The copies that an attack has made, each as long as the network it was made from."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[nn.Module, tuple[State, nn.Module]] = WeakKeyDictionary()

    def of(
        self,
        network: nn.Module,
        images: Tensor,
        layout: torch.memory_format = torch.channels_last,
    ) -> nn.Module:
        """The copy, or the network itself where there is none that agrees with it.

        Args:
            network: in evaluation mode.
            images: `(N, C, H, W)` in [0, 1] on which the logits are compared, at the first call.
            layout: of the folded weights and of what the copy is given.

        Returns:
            images -> logits; shares all weights that folding does not change.
        """
        state = layout, _state(network)
        if network not in self._known or self._known[network][0] != state:
            self._known[network] = state, _checked_copy(network, images, layout)
        found = self._known[network][1]
        return network if isinstance(found, _Unchanged) else found


class _InLayout(nn.Module):
    """Passes images to a network in the layout of the folded weights."""

    def __init__(self, network: nn.Module, layout: torch.memory_format) -> None:
        super().__init__()
        self.network = network
        self.layout = layout

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the network."""
        logits: Tensor = self.network(images.contiguous(memory_format=self.layout))
        return logits


class _Unchanged(nn.Module):
    """Placeholder for the network itself, which as a value would keep its own key alive."""


def fold_batch_norm(
    network: nn.Module, example: Tensor, layout: torch.memory_format = torch.channels_last
) -> nn.Module | None:
    """A copy in which each BatchNorm that takes the output of a convolution is part of it.

    Args:
        network: in evaluation mode; is left as it is, and shares its other weights with the copy.
        example: one image `(1, C, H, W)`, to see what follows what.
        layout: of the folded weights and of what the copy is given.

    Returns:
        None if there is nothing to fold.
    """
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    folded = copy.deepcopy(network, dict(shared))
    pairs = _pairs(folded, example)
    if not pairs:
        return None
    for convolution, norm in pairs:
        _fold(convolution, norm, layout)
    replacements = {norm: _what_remains(norm) for _, norm in pairs}
    for module in list(folded.modules()):
        for name, child in module.named_children():
            if child in replacements:
                setattr(module, name, replacements[child])
    for module in folded.modules():
        if isinstance(module, _COPY_THEIR_INPUT):
            module.inplace = False
    return _InLayout(folded, layout).eval()


def _checked_copy(network: nn.Module, images: Tensor, layout: torch.memory_format) -> nn.Module:
    if not _worth_a_copy(network):
        return _Unchanged()
    with torch.no_grad(), full_float32():
        try:
            folded = fold_batch_norm(network, images[:1], layout)
            if folded is None:
                return _Unchanged()
            found = folded(images)
        except Exception as error:  # a foreign network may refuse to be copied in any way
            log.info("the network is used as it is: folding failed: %s", error)
            return _Unchanged()
        tolerance = CUDA_TOLERANCE if images.is_cuda else TOLERANCE
        if not torch.allclose(found, network(images), rtol=0, atol=tolerance):
            log.info("the network is used as it is: logits change when BatchNorm is folded")
            return _Unchanged()
    return folded


def _worth_a_copy(network: nn.Module) -> bool:
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return False
    parameters = list(network.parameters())
    device = parameters[0].device
    if device.type == "cuda":
        return sum(p.nbytes for p in parameters) <= MAX_SHARE * free_bytes(device)
    return sum(p.numel() for p in parameters) <= MAX_PARAMETERS


def _pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the BatchNorms that take their outputs, each used once.

    That nothing else takes the output too is not seen here, but in the logits.
    """
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # holds them: an id is free again after
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    used: list[nn.Module] = []

    def after_convolution(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        used.append(module)
        outputs[id(output)] = module, output

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        used.append(module)
        if id(inputs[0]) in outputs:
            pairs.append((outputs[id(inputs[0])][0], module))

    handles = [
        module.register_forward_hook(after_convolution)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ] + [
        module.register_forward_pre_hook(before_norm)
        for module in network.modules()
        if is_fixed_batch_norm(module)
    ]
    try:
        network(example)
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in pairs if all(used.count(module) == 1 for module in pair)]


def is_fixed_batch_norm(module: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether a module is no more than a fixed scale and shift, in timm's with an activation after.

    Not in training mode, without running statistics, or if it is of another subclass or has a
    forward pass of its own, which may do more.
    """
    if type(module) not in (nn.BatchNorm2d, BatchNormAct2d) or "forward" in vars(module):
        return False
    return module.running_mean is not None and not module.training


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d, layout: torch.memory_format) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    ordered = weight.detach().contiguous(memory_format=layout)
    convolution.weight = nn.Parameter(ordered, requires_grad=False)
    convolution.bias = nn.Parameter(bias.detach(), requires_grad=False)


def _what_remains(norm: nn.BatchNorm2d) -> nn.Module:
    """timm's BatchNorm has the activation inside."""
    if isinstance(norm, BatchNormAct2d):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity()


def _state(network: nn.Module) -> tuple[tuple[int, int], ...]:
    """Changes when a weight is replaced or written to."""
    tensors = chain(network.parameters(), network.buffers())
    return tuple(
        (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in tensors
    )
