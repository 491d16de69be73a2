"""Bias and activation in one pass: PyTorch's numbers, and nothing where something would change.

The kernel itself runs on a GPU alone: tests/gpu/test_folded.py. Here one of PyTorch's operations
stands in for it.
"""

import logging
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from attack_toys import logits_and_gradient
from torch import Tensor, nn
from torchvision import models

from oodbench.attacks.frugal import blocks, checkpointed
from oodbench.models.folded import activation
from oodbench.models.folded.activation import (
    SMALLEST,
    BiasAndActivation,
    Kernels,
    _are_right,
    all_fused,
    kernels_for,
    with_fused_activations,
)
from oodbench.models.folded.batch_norm import fold_batch_norm
from oodbench.models.folded.networks import FoldedNetworks, _fused_or_not


def plain_clamp(x: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
    return (x + bias).clamp(low, high)


def plain_silu(x: Tensor, bias: Tensor) -> Tensor:
    return F.silu(x + bias)


def plain_gradient(gradient: Tensor, x: Tensor, bias: Tensor) -> Tensor:
    return torch.as_tensor(torch.ops.aten.silu_backward(gradient, x + bias))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes of what the stand-ins for the kernels have been given."""
    given: list[torch.Size] = []

    def clamp(x: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
        given.append(x.shape)
        return plain_clamp(x, bias, low, high)

    def silu(x: Tensor, bias: Tensor) -> Tensor:
        given.append(x.shape)
        return plain_silu(x, bias)

    kernels = Kernels(clamp, silu, plain_gradient)
    monkeypatch.setattr(activation, "kernels_for", lambda _: kernels)
    return given


def with_biases(*modules: nn.Module) -> nn.Module:
    network = nn.Sequential(*modules, nn.Flatten(1))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for parameter in network.parameters():
            nn.init.normal_(parameter)
    return network.eval().requires_grad_(False)


def images(side: int = 9, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 3, side, side, generator=generator)


@pytest.mark.parametrize(
    "made",
    [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardtanh(-0.5, 2.0), nn.SiLU()],
    ids=str,
)
def test_the_numbers_are_those_of_pytorch(made: nn.Module, calls: list[torch.Size]) -> None:
    network = with_biases(nn.Conv2d(3, 5, 3), made, nn.Conv2d(5, 4, 3))
    fused = with_fused_activations(network, images()[:1])
    assert fused is not None
    expected = logits_and_gradient(network, images())
    assert all(map(torch.equal, logits_and_gradient(fused, images()), expected))
    assert not calls  # too small to be worth it
    with all_fused(fused):
        assert all(map(torch.equal, logits_and_gradient(fused, images()), expected))
    assert calls == [(3, 5, 7, 7)]
    assert [m.smallest for m in fused.modules() if isinstance(m, BiasAndActivation)] == [SMALLEST]
    assert isinstance(network[0], nn.Conv2d)
    assert network[0].bias is not None
    assert network[1] is made


def test_the_gradient_is_the_derivative(calls: list[torch.Size]) -> None:
    """At a bound and beyond it is 0, as PyTorch has it."""
    x = torch.tensor([-3.0, -1.0, 0.3, 2.0, 4.9, 5.0, 8.0]).reshape(1, 1, 1, 7).requires_grad_()
    bias = torch.ones(1, 1, 1)
    kernels = activation.kernels_for(torch.device("cpu"))
    clamped = activation._Clamped.apply(0.0, 6.0, x, bias, kernels)
    assert clamped.flatten().tolist() == pytest.approx([0, 0, 1.3, 3, 5.9, 6, 6])
    (gradient,) = torch.autograd.grad(clamped.sum(), x)
    assert gradient.flatten().tolist() == [0, 0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "side", "count"),
    [("tf_efficientnet_lite0", 64, 33), ("tf_efficientnet_b0", 64, 49), ("resnet18", 64, 9)],
)
def test_networks_of_timm(name: str, side: int, count: int, calls: list[torch.Size]) -> None:
    """With the activations of squeeze and excitation; of a ResNet's blocks the last one comes after
    an addition."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, num_classes=10)
        network.train()(torch.rand(8, 3, side, side))
        network.eval().requires_grad_(False)
    shown = images(side)
    folded = fold_batch_norm(network, shown[:1])
    assert folded is not None
    fused = with_fused_activations(folded, shown[:1])
    assert fused is not None
    expected = logits_and_gradient(folded, shown)
    with all_fused(fused):
        found = logits_and_gradient(fused, shown)
        assert len(calls) == count
        with checkpointed(fused):
            again = logits_and_gradient(fused, shown)
    for values in (found, again):
        torch.testing.assert_close(values[0], expected[0], atol=1e-4, rtol=0)
        torch.testing.assert_close(values[1], expected[1], atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg11_bn"])
def test_networks_whose_blocks_are_found_for_them(name: str, calls: list[torch.Size]) -> None:
    """Checkpointed per block; a bias with its activation is none."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.get_model(name, num_classes=10).eval().requires_grad_(False)
    shown = images(32)
    folded = fold_batch_norm(network, shown[:1])
    assert folded is not None
    fused = with_fused_activations(folded, shown[:1])
    assert fused is not None
    assert not any(isinstance(block, BiasAndActivation) for block in blocks(fused))
    expected = logits_and_gradient(folded, shown)
    with checkpointed(fused):
        found = logits_and_gradient(fused, shown)
        assert not calls
        with all_fused(fused):
            again = logits_and_gradient(fused, shown)
    assert calls
    for values in (found, again):
        torch.testing.assert_close(values[0], expected[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(values[1], expected[1], atol=1e-6, rtol=1e-3)


class Own(nn.ReLU):
    """May do more."""


def patched() -> nn.ReLU:
    module = nn.ReLU()
    vars(module)["forward"] = module.forward
    return module


class Shared(nn.Module):
    """One activation after two convolutions, as in torchvision's ResNets."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.relu(self.other(self.relu(self.one(images)))))


class Added(nn.Module):
    """Something is added to the output, in its place, before the activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        x += images
        return torch.as_tensor(self.relu(x))


@pytest.mark.parametrize(
    "modules",
    [
        (nn.Conv2d(3, 3, 1, bias=False), nn.ReLU()),
        (nn.Conv2d(3, 3, 1), Own()),
        (nn.Conv2d(3, 3, 1), patched()),
        (nn.Conv2d(3, 3, 1), nn.GELU()),
        (nn.Conv2d(3, 3, 1), nn.MaxPool2d(2), nn.ReLU()),
        (Shared(),),
        (Added(),),
    ],
)
def test_what_is_left_as_it_is(modules: tuple[nn.Module, ...], calls: list[torch.Size]) -> None:
    assert with_fused_activations(with_biases(*modules), images()[:1]) is None


def test_there_are_no_kernels_for_a_cpu() -> None:
    assert kernels_for(torch.device("cpu")) is None
    network = with_biases(nn.Conv2d(3, 3, 1), nn.ReLU())
    assert with_fused_activations(network, images()[:1]) is None
    assert _fused_or_not(network, images()[:1]) is network


def test_other_types_take_two_passes(calls: list[torch.Size]) -> None:
    network = with_biases(nn.Conv2d(3, 5, 3), nn.ReLU())
    fused = with_fused_activations(network, images()[:1])
    assert fused is not None
    with all_fused(fused):
        with torch.autocast("cpu", torch.bfloat16):
            found = fused(images())
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), network(images()), atol=0.05, rtol=0.02)
        doubled = fused.double()(images().double())
        torch.testing.assert_close(doubled, network.double()(images().double()))
    assert not calls


def test_a_compiler_sees_plain_operations(calls: list[torch.Size]) -> None:
    network = with_biases(nn.Conv2d(3, 5, 3), nn.ReLU())
    fused = with_fused_activations(network, images()[:1])
    assert fused is not None
    with all_fused(fused):
        compiled: Any = torch.compile(fused, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(images()), network(images()))
    assert not calls


class WrittenTo(nn.Module):
    """What comes after the activation writes to its output, or takes the convolution's, too."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.conv, self.norm, self.relu = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU6()
        nn.init.constant_(self.norm.bias, 0.7)

    def forward(self, images: Tensor) -> Tensor:
        x = self.norm(self.conv(images))
        y = self.relu(x)
        y = y.mul_(2) if self.way == "writes" else y + x if self.way == "takes" else y * 2
        return torch.as_tensor(y.mean((2, 3)))


@pytest.mark.parametrize(
    ("way", "said"), [("writes", "in two passes"), ("takes", "logits change"), ("neither", "")]
)
def test_where_fusing_is_wrong_the_folded_copy_is_used(
    way: str, said: str, calls: list[torch.Size], caplog: pytest.LogCaptureFixture
) -> None:
    network = WrittenTo(way).eval().requires_grad_(False)
    folded = fold_batch_norm(network, images()[:1])
    assert folded is not None
    with caplog.at_level(logging.INFO):
        used = _fused_or_not(folded, images()[:1])
    assert calls
    assert (used is folded) == bool(said)
    assert said in caplog.text
    assert all(
        torch.allclose(*both, atol=1e-6)
        for both in zip(
            logits_and_gradient(used, images()), logits_and_gradient(network, images()), strict=True
        )
    )


@pytest.mark.parametrize("asked", [True, False])
def test_copies_are_fused_where_it_is_asked_for(asked: bool, calls: list[torch.Size]) -> None:
    network = WrittenTo("neither").eval().requires_grad_(False)
    copies = FoldedNetworks(fused_activations=asked)
    copy = copies.of(network, images())
    assert any(isinstance(module, BiasAndActivation) for module in copy.modules()) == asked
    assert copies.of(network, images()) is copy
    torch.testing.assert_close(copy(images()), network(images()))


@pytest.mark.parametrize(
    ("changed", "right"),
    [
        ({}, True),
        ({"clamp": lambda x, bias, low, high: plain_clamp(x, bias, low, high).nan_to_num()}, False),
        ({"clamp": lambda x, bias, low, high: plain_clamp(x, bias, low, high) * 1.0000002}, False),
        ({"silu": lambda x, bias: plain_silu(x, bias) * 1.0000002}, True),
        ({"silu": lambda x, bias: F.hardswish(x + bias)}, False),
        ({"silu_gradient": lambda gradient, x, bias: plain_gradient(gradient, x, 0 * bias)}, False),
    ],
)
def test_kernels_with_other_numbers_are_seen(changed: dict[str, Any], right: bool) -> None:
    usual = {"clamp": plain_clamp, "silu": plain_silu, "silu_gradient": plain_gradient}
    assert _are_right(Kernels(**usual | changed), torch.device("cpu")) == right


def test_without_a_compiler_there_are_no_kernels(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(code: str, **constants: float) -> Any:
        raise RuntimeError("nvrtc: error: failed to open libnvrtc-builtins.so.13.0\nmore")

    monkeypatch.setattr("torch.cuda.jiterator._create_jit_fn", missing)
    with caplog.at_level(logging.INFO):
        assert activation._checked(torch.device("cuda", 0)) is None
    assert "in two passes: nvrtc: error: failed to open libnvrtc" in caplog.text


def test_gradients_of_a_large_picture_are_compared_on_a_part_of_it(
    calls: list[torch.Size],
) -> None:
    """A network with them at 800 pixels may need more memory than there is."""
    network = WrittenTo("neither").eval().requires_grad_(False)
    shown = torch.rand(2, 3, 300, 280)
    copy = FoldedNetworks(fused_activations=True).of(network, shown)
    assert {size[2:] for size in calls} == {(256, 256)}
    torch.testing.assert_close(copy(shown), network(shown))
