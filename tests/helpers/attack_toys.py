"""Small networks and pictures on which gradient attacks take milliseconds."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from oodbench.attacks import network_access

CLASSES = 8
SIDE = 12


class ConvNet(nn.Module):
    """Convolutions with BatchNorm, one of them strided, and a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.bn2 = nn.BatchNorm2d(8, eps=1e-3)
        self.conv3 = nn.Conv2d(8, 12, 3, stride=2)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.tanh(self.bn1(self.conv1((images - 0.45) / 0.225)))
        x = x + torch.tanh(self.bn2(self.conv2(x)))
        x = torch.tanh(self.conv3(x)).mean((2, 3))
        return torch.as_tensor(self.head(x))


class Mlp(nn.Module):
    """No convolution, nothing to fold."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 16), nn.Tanh(), nn.Linear(16, CLASSES)
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.layers((images - 0.45) / 0.225))


def conv_net(dtype: torch.dtype = torch.float64) -> ConvNet:
    """Its BatchNorms have the statistics of these pictures, its logits are spread."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = ConvNet().double()
        for norm in (network.bn1, network.bn2):
            norm.momentum = None
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
        network.train()
        with torch.no_grad():
            logits = network(pictures(64))
            network.head.weight.mul_(4 / logits.std(0).mean())
            network.head.bias.sub_(network.eval()(pictures(64)).mean(0))
    return network.eval().requires_grad_(False).to(dtype)


def mlp(dtype: torch.dtype = torch.float64) -> Mlp:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = Mlp().double()
    with torch.no_grad():
        network.layers[3].weight.mul_(4)
    return network.eval().requires_grad_(False).to(dtype)


def pictures(count: int = 40, dtype: torch.dtype = torch.float64) -> Tensor:
    """Smooth noise with some pixels at both ends of [0, 1]."""
    generator = torch.Generator().manual_seed(21)
    coarse = torch.rand(count, 3, 4, 4, generator=generator, dtype=torch.float64)
    fine = torch.rand(count, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
    smooth = nn.functional.interpolate(coarse, size=SIDE, mode="bilinear")
    return (1.3 * smooth - 0.15 + 0.3 * (fine - 0.5)).clamp(0, 1).to(dtype)


def predictions(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.as_tensor(network(images).argmax(1))


def fill_batches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """To one of a few sizes, as on CUDA."""
    passes: Any = network_access.Passes
    monkeypatch.setattr(
        network_access,
        "Passes",
        lambda network, micro_batch, few_sizes: passes(network, micro_batch, few_sizes=True),
    )


def logits_and_gradient(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits `(N, K)`, and the gradient of a smooth function of all of them to the images."""
    leaves = images.clone().requires_grad_()
    logits = network(leaves)
    (gradient,) = torch.autograd.grad(logits.logsumexp(1).sum(), leaves)
    return logits.detach(), gradient
