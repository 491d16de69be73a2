"""Small classifiers, pictures, and engines that are wrong on purpose."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.engines.base import Forward
from oodbench.engines.eager import EagerEngine
from oodbench.models.classifier import Classifier

SIDE = 40
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)


class Lite(nn.Module):
    """What efficientnet_lite0 is made of: a stem, a depthwise block with a residual, a head."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.block = nn.Sequential(
            nn.Conv2d(16, 32, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU6(),
            nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU6(),
            nn.Conv2d(32, 16, 1, bias=False),
            nn.BatchNorm2d(16),
        )
        self.head = nn.Linear(16, outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        x = x + self.block(x)
        return torch.as_tensor(self.head(x.mean((2, 3))))


class Bessel(nn.Module):
    """Has an operator that no exporter knows."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Lite(1000)

    def forward(self, images: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.network(images))


class Softmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = Lite(1000)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.network(images).softmax(1))


def classifier(
    network: Callable[[], nn.Module] = lambda: Lite(1000), **arguments: Any
) -> Classifier:
    """Random weights; BatchNorm knows the pictures, logits are of the order of ten."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = network()
        for module in made.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=5)
    settle(made, SIDE)
    return Classifier(made, mean=MEAN, std=STD, name="toy", **arguments)


def settle(network: nn.Module, side: int) -> None:
    """Give BatchNorm the statistics of real activations, without which logits vanish."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    images = torch.from_numpy(pictures(8, side)).permute(0, 3, 1, 2) / 255
    network.train()
    with torch.no_grad():
        network((images - 0.45) / 0.25)
    network.eval()


def pictures(count: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Coarse noise, uint8 `(count, side, side, 3)`."""
    coarse = np.random.default_rng(count).integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    repeated = coarse.repeat(side // 5, axis=1).repeat(side // 5, axis=2)
    return np.pad(repeated, [(0, 0), *[(0, side - repeated.shape[1])] * 2, (0, 0)])


def expected(model: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The classifier's own logits."""
    with torch.inference_mode():
        logits: Tensor = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous() / 255)
    return logits.numpy()


class Shifted:
    """An engine whose logits are all off by a hundredth."""

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        return EagerEngine().prepare(_Shift(classifier), example)


class Trusted(Shifted):
    """Another that no one holds against the eager engine."""

    needs_gate = False


class LogitsOnly(Shifted):
    """An engine that no gradient comes from."""

    computes_gradients = False


class _Shift(nn.Module):
    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.classifier(images) + 0.01)


class Failing:
    """An engine that can be prepared and no more."""

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        return EagerEngine().prepare(_Fail(), example)


class _Fail(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("out of luck")
