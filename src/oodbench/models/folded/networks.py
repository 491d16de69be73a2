"""A faster private copy of a network: its BatchNorms folded, its weights in one layout, and on
request its activations fused with the biases before them."""

import logging
from itertools import chain
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from oodbench.core.errors import one_line
from oodbench.models.device_memory import free_bytes
from oodbench.models.folded.activation import all_fused, with_fused_activations
from oodbench.models.folded.batch_norm import fold_batch_norm
from oodbench.models.folded.following import version
from oodbench.models.full_float32 import full_float32

TOLERANCE = 1e-4
"""Logits of the copy may differ by this from the network's, or it is not used."""

CUDA_TOLERANCE = 1e-3
"""Likewise: each layer may get another algorithm there, which adds up in another order."""

MAX_PARAMETERS = 200_000_000
"""A network larger than this (0.8 GB of weights) is not copied on a CPU."""

MAX_SHARE = 0.1
"""Of the free memory of a CUDA device, that a copy may take."""

COMPARED_SIDE = 256
"""Pixels at most of a side of the image on which gradients are compared: the activations of a large
network at its own size may not fit, and an attack that spares memory begins with this."""

log = logging.getLogger(__name__)

State = tuple[torch.memory_format, tuple[tuple[int, int], ...]]


class FoldedNetworks:
    """The copies that have been made, each as long as the network it was made from."""

    def __init__(self, *, fused_activations: bool = False) -> None:
        """Set up.

        Args:
            fused_activations: biases and activations in one pass on CUDA, see
                `oodbench.models.folded.activation`.
        """
        self._fused_activations = fused_activations
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
            copy = _checked_copy(network, images, layout)
            if self._fused_activations and not isinstance(copy, _Unchanged):
                copy = _fused_or_not(copy, images[:1, :, :COMPARED_SIDE, :COMPARED_SIDE])
            self._known[network] = state, copy
        found = self._known[network][1]
        return network if isinstance(found, _Unchanged) else found


class _Unchanged(nn.Module):
    """Placeholder for the network itself, which as a value would keep its own key alive."""


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


def _fused_or_not(folded: nn.Module, image: Tensor) -> nn.Module:
    """The copy with its activations fused, where logits and gradient stay the same."""
    try:
        with torch.no_grad(), full_float32():
            fused = with_fused_activations(folded, image)
            if fused is None:
                return folded
            with all_fused(fused):
                same = _are_same(fused, folded, image)
    except Exception as error:  # what comes after an activation may write to its output
        log.info("bias and activation in two passes: %s", one_line(error, 200))
        return folded
    if not same:
        log.info("bias and activation in two passes: logits change with one")
    return fused if same else folded


def _are_same(network: nn.Module, other: nn.Module, image: Tensor) -> bool:
    """Whether logits and gradient of an image are."""
    logits, gradient = _logits_and_gradient(network, image)
    expected, steepest = _logits_and_gradient(other, image)
    most = CUDA_TOLERANCE * steepest.abs().max().item()
    return torch.allclose(logits, expected, rtol=0, atol=CUDA_TOLERANCE) and torch.allclose(
        gradient, steepest, rtol=0, atol=most
    )


def _logits_and_gradient(network: nn.Module, image: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = image.detach().clone().requires_grad_()
        logits: Tensor = network(leaf)
        (gradient,) = torch.autograd.grad(logits.logsumexp(1).sum(), leaf)
    return logits.detach(), gradient


def _worth_a_copy(network: nn.Module) -> bool:
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return False
    parameters = list(network.parameters())
    device = parameters[0].device
    if device.type == "cuda":
        return sum(p.nbytes for p in parameters) <= MAX_SHARE * free_bytes(device)
    return sum(p.numel() for p in parameters) <= MAX_PARAMETERS


def _state(network: nn.Module) -> tuple[tuple[int, int], ...]:
    """Changes when a weight is replaced or written to."""
    tensors = chain(network.parameters(), network.buffers())
    return tuple((tensor.data_ptr(), version(tensor)) for tensor in tensors)
