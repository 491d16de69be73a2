"""Networks whose outputs depend on more than the picture are refused, sound ones are not."""

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from oodbench.core.errors import ConfigError
from oodbench.models.classifier import Classifier, noise
from oodbench.models.stability import dependence


class Small(nn.Module):
    """A few convolutions with BatchNorm; a hook changes the features before the last layer."""

    def __init__(self, change: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 8, 3)
            self.norm = nn.BatchNorm2d(8)
            self.head = nn.Linear(8, 1000)
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm(self.conv(images)).relu().mean((2, 3))
        logits: Tensor = self.head(self.change(self, features))
        return logits


def in_training(network: nn.Module, features: Tensor) -> Tensor:
    network.train()
    return features


def batch_statistics(network: nn.Module, features: Tensor) -> Tensor:
    return functional.batch_norm(features, None, None, training=True)


def seeded(network: nn.Module, features: Tensor) -> Tensor:
    """The same numbers at each call, another one for each place in the batch."""
    generator = torch.Generator().manual_seed(0)
    return features + torch.rand(features.shape, generator=generator)


def never_hit(network: nn.Module, features: Tensor) -> Tensor:
    """A path that is dropped once in a billion passes."""
    return features * (torch.rand(()) > 1e-9)


CALLS: list[int] = []


def counting(network: nn.Module, features: Tensor) -> Tensor:
    CALLS.append(1)
    return features * len(CALLS)


def check(change: Callable[[nn.Module, Tensor], Tensor], **settings: Any) -> None:
    mean, std = [0.5] * 3, [0.25] * 3
    Classifier(Small(change), mean=mean, std=std, name="net", **settings).check_outputs(16)


UNSTABLE = [
    (lambda net, x: functional.dropout(x, 0.5), "its outputs depend on chance: one moves by "),
    (lambda net, x: functional.dropout(x, 0.02), "(its outputs depend on|it draws random)"),
    (never_hit, "it draws random numbers"),
    (counting, "its outputs depend on chance"),
    (seeded, "its outputs depend on the batch: one moves by "),
    (lambda net, x: x + x.mean(0), "its outputs depend on the batch"),
    (lambda net, x: x - x.mean() if len(x) > 1 else x, "its outputs depend on the batch"),
    (in_training, "its outputs depend on the batch: .*; its forward.. puts it into training mode"),
    (batch_statistics, "it fails on a picture alone, not on two: Expected more than 1 value"),
]


@pytest.mark.parametrize(("change", "complaint"), UNSTABLE)
def test_it_is_refused_with_the_key_that_allows_it(
    change: Callable[[nn.Module, Tensor], Tensor], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=f"^model net: {complaint}") as caught:
        check(change)
    message = str(caught.value)
    assert message.endswith("or set model.allow_unstable=true, which marks the result")
    assert "\n" not in message
    check(change, allow_unstable=True)
    (warning,) = caplog.messages
    assert warning.endswith("allowed by model.allow_unstable")


def test_a_network_without_a_place_for_the_batch_is_refused_as_before() -> None:
    """It forgets the batch where there is one picture."""

    class Squeezed(Small):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images).squeeze(0)

    with pytest.raises(ConfigError, match=r"expected logits \(1, 1000\), found \(1000,\)"):
        Classifier(Squeezed(sound), mean=[0.5] * 3, std=[0.25] * 3).check_outputs(16)


def sound(network: nn.Module, features: Tensor) -> Tensor:
    return features


@pytest.mark.parametrize(
    "change",
    [
        sound,
        lambda net, x: functional.dropout(x, 0.5, training=net.training),
        lambda net, x: functional.dropout(x, 0.0),
        lambda net, x: x * 0,  # constant outputs: their spread is that of the bias
        lambda net, x: x * 1e-6 + 1e3,
        lambda net, x: x.half().float(),
    ],
)
def test_a_sound_network_passes(change: Callable[[nn.Module, Tensor], Tensor]) -> None:
    before = torch.get_rng_state()
    check(change)
    assert torch.equal(torch.get_rng_state(), before)


def test_outputs_that_are_all_equal_are_sound() -> None:
    assert dependence(lambda images: torch.zeros(len(images), 3), noise(4)) == ""


@pytest.mark.parametrize("share", [0.009, 0.012])
def test_the_bound_is_a_hundredth_of_the_spread(share: float) -> None:
    """By hand: outputs 0 and 2 have the standard deviation 1."""

    def outputs(images: Tensor) -> Tensor:
        return torch.tensor([[0.0, 2.0]] * len(images)) + (share if len(images) == 1 else 0.0)

    assert bool(dependence(outputs, noise(4))) is (share > 0.01)


ARCHITECTURES = (
    *("tf_efficientnet_lite0", "resnet50", "tf_efficientnet_b0", "vit_tiny_patch16_224"),
    *("convnext_atto", "test_vit", "test_resnet"),
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_noise_raises_no_false_alarm(architecture: str) -> None:
    size = 224 if architecture.startswith("vit") else 160
    images = noise(size) * 4 - 2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(architecture).eval()
    with torch.inference_mode():
        assert dependence(network, images) == ""
        if architecture == "test_resnet":
            assert "depend on the batch" in dependence(network.train(), images)
