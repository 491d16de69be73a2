"""Bias and activation in one pass on CUDA: the numbers of two."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F
from attack_toys import logits_and_gradient
from torch import Tensor
from torchvision import models

from oodbench.attacks.pgd import PGD
from oodbench.models.folded.activation import (
    SMALLEST,
    BiasAndActivation,
    Kernels,
    all_fused,
    kernels_for,
    with_fused_activations,
)
from oodbench.models.folded.batch_norm import fold_batch_norm
from oodbench.models.folded.networks import FoldedNetworks

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda", 0)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def kernels() -> Kernels:
    found = kernels_for(DEVICE)
    assert found is not None
    return found


def output(layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    """As of a convolution, and a bias."""
    x = 5 * torch.randn(9, 64, 129, 127, device=DEVICE)
    x[0, :, 0, 0] = math.nan
    assert x.numel() >= SMALLEST
    return x.contiguous(memory_format=layout), torch.randn(64, 1, 1, device=DEVICE)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (0.0, math.inf)])
def test_clamped_sums_have_the_bits_of_pytorch(
    layout: torch.memory_format, low: float, high: float
) -> None:
    x, bias = output(layout)
    found = kernels().clamp(x, bias, low, high)
    expected = (x + bias).clamp(low, high)
    assert torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))
    assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_silu_and_its_gradient_are_those_of_pytorch(layout: torch.memory_format) -> None:
    x, bias = output(layout)
    found = kernels().silu(x, bias)
    torch.testing.assert_close(found, F.silu(x + bias), atol=1e-5, rtol=1e-5, equal_nan=True)
    gradient = torch.randn_like(x)
    slope = kernels().silu_gradient(gradient, x, bias)
    expected = torch.ops.aten.silu_backward(gradient, x + bias)
    torch.testing.assert_close(slope, expected, atol=1e-5, rtol=1e-5, equal_nan=True)
    assert found.is_contiguous(memory_format=layout)
    assert slope.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "tf_efficientnet_b0", "resnet18"])
def test_a_network_gives_the_same_logits_and_gradients(
    name: str, layout: torch.memory_format
) -> None:
    kernels()
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
    assert any(isinstance(module, BiasAndActivation) for module in copy.modules())


def test_an_attack_in_little_memory_computes_with_the_copy() -> None:
    """The blocks of this network are found for it, and checkpointed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.mobilenet_v2(num_classes=10).eval().requires_grad_(False).to(DEVICE)
        images = torch.rand(4, 3, 96, 96).to(DEVICE)
    labels = network(images).argmax(1)
    attack = PGD(name="pgd_linf", eps=0.03, step_size=0.01, iterations=3, memory=0.05)
    result = attack(network, images, labels, list(range(4)))
    assert (result.images - images).abs().max() <= 0.03 + 1e-6
    assert result.columns["attack_loss"].isfinite().all()
