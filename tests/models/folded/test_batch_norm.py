"""Folded copies against the networks themselves."""

import gc
import logging
import weakref

import pytest
import timm
import torch
from attack_toys import conv_net, logits_and_gradient, mlp, pictures
from torch import Tensor, nn

from oodbench.models.folded.batch_norm import fold_batch_norm, is_fixed_batch_norm
from oodbench.models.folded.networks import FoldedNetworks


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_folded_network_is_the_same_function() -> None:
    network, images = conv_net(), pictures()
    folded = fold_batch_norm(network, images[:1])
    assert folded is not None
    assert norms(folded) == 0
    torch.testing.assert_close(folded(images), network(images), atol=1e-12, rtol=0)
    (_, found), (_, expected) = (logits_and_gradient(each, images) for each in (folded, network))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_the_network_stays_as_it_is() -> None:
    network, images = conv_net(), pictures()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    logits = network(images)
    folded = fold_batch_norm(network, images[:1])
    assert folded is not None
    assert norms(network) == 2
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(network(images), logits)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(module._forward_hooks for module in folded.modules())


def test_other_weights_are_shared() -> None:
    network = conv_net()
    folded = fold_batch_norm(network, pictures(1))
    assert folded is not None
    shared = {value.data_ptr() for value in network.parameters()}
    assert folded.get_parameter("network.head.weight").data_ptr() in shared
    assert folded.get_parameter("network.conv3.weight").data_ptr() in shared
    assert folded.get_parameter("network.conv1.weight").data_ptr() not in shared


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_networks_of_timm(name: str) -> None:
    """Padding of TensorFlow, and an activation inside the BatchNorm."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, num_classes=10)
        network.train()(torch.rand(8, 3, 64, 64))
        network.eval().requires_grad_(False).double()
        images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    folded = fold_batch_norm(network, images[:1])
    assert folded is not None
    assert norms(folded) == 0
    torch.testing.assert_close(folded(images), network(images), atol=1e-10, rtol=1e-10)


def test_activations_that_autograd_would_copy_for_are_not_in_place() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(inplace=True), nn.Flatten()
    )
    folded = fold_batch_norm(network.eval(), torch.rand(1, 3, 8, 8))
    assert folded is not None
    assert [m.inplace for m in folded.modules() if isinstance(m, nn.ReLU6)] == [False]
    assert network[2].inplace


def test_nothing_to_fold() -> None:
    images = pictures()
    assert FoldedNetworks().of(network := mlp(), images) is network
    before = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.Flatten()).double().eval()
    assert FoldedNetworks().of(before, images) is before


class Twice(nn.Module):
    """Uses what a convolution gives beside the BatchNorm, or the same modules again."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        nn.init.constant_(self.norm.weight, 2.0)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        y = self.norm(x)
        if self.way == "output":
            y = y + x
        if self.way == "norm":
            y = self.norm(y)
        if self.way == "attribute":
            y = y * self.norm.weight[0]
        return torch.as_tensor(y.mean((2, 3)))


@pytest.mark.parametrize("way", ["output", "norm", "attribute"])
def test_where_folding_is_wrong_the_network_is_used(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = Twice(way).eval().requires_grad_(False)
    with caplog.at_level(logging.INFO):
        assert FoldedNetworks().of(network, torch.rand(4, 3, 5, 5)) is network
    assert way == "norm" or "the network is used as it is" in caplog.text


def test_batch_statistics_and_strangers_are_not_folded() -> None:
    class Own(nn.BatchNorm2d):
        pass

    images = torch.rand(4, 3, 5, 5)
    for norm in (nn.BatchNorm2d(3, track_running_stats=False), Own(3)):
        network = nn.Sequential(nn.Conv2d(3, 3, 1), norm, nn.Flatten()).eval()
        assert fold_batch_norm(network, images[:1]) is None


def test_copy_is_made_once_and_again_when_weights_change() -> None:
    network, images, folded = conv_net(), pictures(), FoldedNetworks()
    first = folded.of(network, images)
    assert first is not network
    assert folded.of(network, images) is first
    network.conv1.weight.mul_(1.5)
    second = folded.of(network, images)
    assert second is not first
    torch.testing.assert_close(second(images), network(images), atol=1e-12, rtol=0)
    network.float()
    torch.testing.assert_close(
        folded.of(network, images.float())(images.float()), network(images.float())
    )


@pytest.mark.parametrize("make", [conv_net, mlp])
def test_copies_go_with_their_networks(make: type[nn.Module]) -> None:
    folded, network = FoldedNetworks(), make()
    folded.of(network, pictures())
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
    assert len(folded._known) == 0


class Subclass(nn.BatchNorm2d):
    """May do more than normalise."""


def test_what_may_be_replaced() -> None:
    patched = nn.BatchNorm2d(3).eval()
    vars(patched)["forward"] = patched.forward
    timms = timm.layers.BatchNormAct2d(3).eval()
    assert is_fixed_batch_norm(nn.BatchNorm2d(3).eval())
    assert is_fixed_batch_norm(timms)
    others = [
        nn.BatchNorm2d(3),
        nn.BatchNorm2d(3, track_running_stats=False).eval(),
        Subclass(3).eval(),
        patched,
        nn.Conv2d(3, 3, 1).eval(),
    ]
    assert not any(is_fixed_batch_norm(module) for module in others)
