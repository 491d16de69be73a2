"""Bias and activation in one pass on CUDA: the bits of two."""

import math

import pytest
import timm
import torch
from torch import Tensor, nn

from oodbench.models.folded.activation import (
    SMALLEST,
    BiasAndClamp,
    Kernel,
    all_fused,
    kernel_for,
    with_fused_activations,
)
from oodbench.models.folded.batch_norm import fold_batch_norm
from oodbench.models.folded.networks import FoldedNetworks

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda", 0)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def kernel() -> Kernel:
    found = kernel_for(DEVICE)
    assert found is not None
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (0.0, math.inf)])
def test_the_kernel_gives_the_bits_of_pytorch(
    layout: torch.memory_format, low: float, high: float
) -> None:
    x = 5 * torch.randn(9, 64, 129, 127, device=DEVICE)
    x[0, :, 0, 0] = math.nan
    assert x.numel() >= SMALLEST
    x = x.contiguous(memory_format=layout)
    bias = torch.randn(64, 1, 1, device=DEVICE)
    found = kernel()(x, bias, low, high)
    expected = (x + bias).clamp(low, high)
    assert torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))
    assert found.is_contiguous(memory_format=layout)


def logits_and_gradient(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    leaves = images.clone().requires_grad_()
    logits = network(leaves)
    (gradient,) = torch.autograd.grad(logits.logsumexp(1).sum(), leaves)
    return logits.detach(), gradient


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_a_network_gives_the_same_logits_and_gradients(
    name: str, layout: torch.memory_format
) -> None:
    kernel()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, num_classes=10)
        network.train()(torch.rand(8, 3, 64, 64))
        images = torch.rand(8, 3, 96, 96).to(DEVICE)
    network.eval().requires_grad_(False).to(DEVICE)
    backend = torch.backends.cudnn
    with backend.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        with torch.no_grad():
            folded = fold_batch_norm(network, images[:1], layout)
        assert folded is not None
        fused = with_fused_activations(folded, images[:1])
        assert fused is not None
        expected = logits_and_gradient(folded, images)
        with all_fused(fused):
            found = logits_and_gradient(fused, images)
        copy = FoldedNetworks(fused_activations=True).of(network, images, layout)
    torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1], expected[1], atol=1e-5, rtol=1e-3)
    assert any(isinstance(module, BiasAndClamp) for module in copy.modules())
