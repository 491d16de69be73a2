"""Multiply-adds, parameters and activations from shapes, against hand-worked and known figures."""

from pathlib import Path

import pytest
import torch
from torch import nn

from oodbench.core.errors import ConfigError
from oodbench.sweeps.forecast.network_cost import measured, network_cost

TIMM = "oodbench.models.networks.timm_network"


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 1000),
    )


def test_a_small_network_by_hand() -> None:
    cost = measured(small(), torch.zeros(1, 3, 32, 32))
    # 16 x 16 places: 8 channels from 3 x 3 x 3 values, then each channel from its own 3 x 3.
    assert cost.macs == 16 * 16 * 8 * 27 + 16 * 16 * 8 * 9 + 8 * 1000
    assert cost.gmacs == cost.macs / 1e9
    assert cost.parameters == 8 * 27 + 8 + 8 * 9 + 8 * 1000 + 1000
    # 3 x 32 x 32 floats in and 8 x 16 x 16 out; out of ReLU, pooling and Flatten.
    assert cost.widest == 4 * (3 * 32 * 32 + 8 * 16 * 16)
    assert cost.kept == 4 * (8 * 16 * 16 + 8 + 8)


@pytest.mark.parametrize(
    ("architecture", "side", "gmacs", "millions"),
    [
        # He et al. 2016, as torchvision's table has it (GFLOPS 4.09, 25.6 M).
        ("resnet50", 224, 4.09, 25.557),
        # torchvision's table, GFLOPS: 16.41 and 17.56.
        ("resnext101_32x8d", 224, 16.41, 88.791),
        ("vit_base_patch16_224", 224, 17.56, 86.568),
        # Tan & Le 2019, table 2: 0.39 and 37 billion.
        ("tf_efficientnet_b0", 224, 0.39, 5.289),
        ("tf_efficientnet_b7", 600, 37.0, 66.348),
    ],
)
def test_known_networks(architecture: str, side: int, gmacs: float, millions: float) -> None:
    node = {"_target_": TIMM, "architecture": architecture}
    cost = network_cost(node, side, side)
    assert cost.gmacs == pytest.approx(gmacs, rel=0.03)
    assert cost.parameters / 1e6 == pytest.approx(millions, abs=0.001)


def test_the_largest_published_network_needs_no_memory() -> None:
    # facebookresearch's hub page: 153 billion, 829 million parameters.
    cost = network_cost(
        {"_target_": "oodbench.models.networks.resnext101_wsl", "base_width": 48}, 224, 224
    )
    assert cost.gmacs == pytest.approx(153, rel=0.01)
    assert cost.parameters == pytest.approx(829e6, rel=0.001)


def test_a_network_that_cannot_be_made_without_numbers_is_run(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(toy))
    before = torch.get_rng_state()
    cost = network_cost({"_target_": "toy_network.Toy"}, 32, 32)
    # AdaptiveAvgPool2d(4), then Linear(48, 1000).
    assert cost.macs == 48 * 1000
    assert cost.parameters == 49 * 1000
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="resnet_50"):
        network_cost({"_target_": TIMM, "architecture": "resnet_50"}, 224, 224)
