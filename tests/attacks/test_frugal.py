"""Frugal gradients are the same gradients, and the network is as before."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50, vit_b_16
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from transformers import ViTConfig, ViTForImageClassification

from oodbench.attacks.frugal import blocks, checkpointed, lean_norms
from oodbench.attacks.memory import kept_bytes
from oodbench.attacks.network_access import frozen

Frugal = Callable[[nn.Module], AbstractContextManager[None]]


class Wrapped(nn.Module):
    """As a classifier holds its network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.network((images - 0.45) / 0.225))


def efficientnet() -> nn.Module:
    return Wrapped(timm.create_model("test_efficientnet.r160_in1k", num_classes=7))


def with_blocks_of_timm() -> nn.Module:
    return Wrapped(timm.create_model("test_resnet.r160_in1k", num_classes=7))


def resnet() -> nn.Module:
    return Wrapped(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=7))


def resnext() -> nn.Module:
    network = ResNet(Bottleneck, [1, 2, 1, 1], num_classes=7, groups=4, width_per_group=4)
    return Wrapped(network)


NETWORKS = [efficientnet, with_blocks_of_timm, resnet, resnext]


def spread(network: nn.Module) -> nn.Module:
    """With BatchNorms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network


def both(network: nn.Module, images: Tensor, *frugal: Frugal) -> tuple[Tensor, Tensor]:
    """Logits and the gradient of a loss."""
    with frozen(network), ExitStack() as stack:
        for context in frugal:
            stack.enter_context(context(network))
        leaves = images.clone().requires_grad_()
        logits = network(leaves)
        return logits.detach(), torch.autograd.grad(logits.logsumexp(1).sum(), leaves)[0]


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(2)
    return torch.rand(2, 3, 64, 64)


@pytest.mark.parametrize("make", NETWORKS)
def test_checkpointing_keeps_every_bit(make: Callable[[], nn.Module], images: Tensor) -> None:
    network = spread(make())
    logits, gradient = both(network, images)
    again, frugal = both(network, images, checkpointed)
    assert torch.equal(logits, again)
    assert torch.equal(gradient, frugal)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("make", NETWORKS)
def test_all_measures_together_keep_the_gradient(
    make: Callable[[], nn.Module], images: Tensor
) -> None:
    network = spread(make())
    logits, gradient = both(network, images)
    again, frugal = both(network, images, lean_norms, checkpointed)
    assert torch.equal(logits, again)
    torch.testing.assert_close(frugal, gradient, rtol=1e-5, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("measure", [checkpointed, lean_norms])
def test_less_is_kept(make: Callable[[], nn.Module], measure: Frugal, images: Tensor) -> None:
    network = make()
    with frozen(network):
        plain = kept_bytes(network, images)
        with measure(network):
            frugal = kept_bytes(network, images)
    assert frugal < 0.8 * plain


@pytest.mark.parametrize("make", NETWORKS)
def test_the_network_is_as_before(make: Callable[[], nn.Module], images: Tensor) -> None:
    network = make().eval()
    before = [dict(vars(module)) for module in network.modules()]
    with pytest.raises(ZeroDivisionError), lean_norms(network), checkpointed(network):
        torch.zeros(1).item() / 0
    assert [dict(vars(module)) for module in network.modules()] == before


def test_a_network_that_was_checkpointed_stays_so() -> None:
    network = timm.create_model("test_efficientnet.r160_in1k")
    network.set_grad_checkpointing()
    with checkpointed(network):
        assert network.grad_checkpointing is True
    assert network.grad_checkpointing is True


@pytest.mark.parametrize(("make", "count"), [(resnet18, 8), (resnet50, 16), (vit_b_16, 12)])
def test_blocks_of_torchvision(make: Callable[..., nn.Module], count: int) -> None:
    with torch.device("meta"):
        found = blocks(make(weights=None))
    assert len(found) == count
    assert len({type(block) for block in found}) == 1


def test_blocks_of_transformers() -> None:
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    network = ViTForImageClassification(config)
    assert [type(block).__name__ for block in blocks(network)] == ["ViTLayer"] * 3


def test_norms_with_running_statistics_alone_are_lean() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False), nn.InstanceNorm2d(3)
    ).eval()
    with lean_norms(network):
        assert ["forward" in vars(module) for module in network] == [True, False, False]


def test_a_norm_without_weights(images: Tensor) -> None:
    network = nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 2, 1), nn.Flatten())
    network[0].running_var.fill_(4)
    expected = both(network, images)
    for found, wanted in zip(both(network, images, lean_norms), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)
