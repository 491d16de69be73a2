import pytest
import torch
from torch import nn

from oodbench.attacks.network_access import frozen


def test_evaluation_mode_without_gradients() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    network[0].bias.requires_grad_(False)
    with frozen(network):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.modules())
    asking = [name for name, value in network.named_parameters() if value.requires_grad]
    assert asking == ["0.weight", "1.weight", "1.bias"]


def test_requests_come_back_after_an_error() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(ZeroDivisionError), frozen(network):
        torch.zeros(1).item() / 0
    assert network.weight.requires_grad
