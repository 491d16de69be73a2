"""The strong attacks against torchattacks on efficientnet_lite0 and 32 real pictures."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchattacks
from PIL import Image
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack
from oodbench.attacks.checks import check_result
from oodbench.attacks.libraries.randomness import PerImageRandomness
from oodbench.attacks.square import Square
from oodbench.models.build import build_classifier
from oodbench.models.weights import find_weights
from oodbench.preprocessing import Preprocessing
from oodbench.reference import imagenet_wnids
from oodbench.sweeps.catalogue import load_model

DATA = os.environ.get("OODBENCH_TEST_DATA")
COUNT = 32
SEEDS = list(range(COUNT))
pytestmark = pytest.mark.skipif(
    not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures"
)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    model = load_model("efficientnet_lite0")
    files = find_weights(model.name, model.weights, Path(), download=False)
    return build_classifier(model, weights_files=files)


@pytest.fixture(scope="module")
def labelled() -> tuple[Tensor, Tensor]:
    files = sorted(Path(str(DATA), "imagenet", "val").glob("*/*.JPEG"))[::15][:COUNT]
    transform = Preprocessing(resize=146, crop=128)  # smaller than native, for speed
    pixels = np.stack([transform(Image.open(file).convert("RGB")) for file in files])
    wnids = imagenet_wnids()
    labels = torch.tensor([wnids.index(file.parent.name) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255, labels


def errors(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.as_tensor(network(images).argmax(1) != labels)


def alone(attack: Any, images: Tensor, labels: Tensor) -> Tensor:
    """The library's pictures, each alone with random numbers from its own seed."""
    attack.set_device("cpu")
    made = []
    for image, label, seed in zip(images, labels, SEEDS, strict=True):
        with PerImageRandomness([seed]):
            made.append(attack(image[None].clone(), label[None].clone()))
    return torch.cat(made)


EPS = 0.25 / 255
L2 = 0.2
Library = Callable[[nn.Module], Any]
PAIRS: dict[str, tuple[Attack, Library]] = {
    "apgd_ce": (
        APGD(name="a", eps=EPS, iterations=5),
        lambda network: torchattacks.APGD(network, eps=EPS, steps=5),
    ),
    "apgd_t": (
        APGD(name="a", eps=EPS, loss="dlr_targeted", iterations=4, targets=2),
        lambda network: torchattacks.APGDT(network, eps=EPS, steps=4, n_classes=3),
    ),
    "apgd_l2": (
        APGD(name="a", eps=L2, norm="l2", iterations=5),
        lambda network: torchattacks.APGD(network, norm="L2", eps=L2, steps=5),
    ),
    "square": (
        Square(name="s", eps=8 * EPS, queries=12),
        lambda network: torchattacks.Square(network, eps=8 * EPS, n_queries=12),
    ),
    "square_l2": (
        Square(name="s", eps=10 * L2, norm="l2", queries=12),
        lambda network: torchattacks.Square(network, norm="L2", eps=10 * L2, n_queries=12),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_as_strong_as_torchattacks(
    network: nn.Module, labelled: tuple[Tensor, Tensor], name: str
) -> None:
    """From the same random numbers, in float32 and with BatchNorm folded: signs flip now and then.

    One picture of 32 is 3 points; that the algorithms are the same is tested in float64.
    """
    images, labels = labelled
    attack, library = PAIRS[name]
    found = attack(network, images, labels, SEEDS)
    check_result(images, found, attack.eps, attack.norm)
    ours = found.succeeded
    assert (errors(network, found.images, labels) == ours).sum() >= COUNT - 1
    expected = errors(network, alone(library(network), images, labels), labels)
    only_ours, only_theirs = int((ours & ~expected).sum()), int((expected & ~ours).sum())
    discordant = only_ours + only_theirs
    assert abs(only_ours - only_theirs) <= max(1.96 * math.sqrt(discordant), 1)  # McNemar
    assert ours.sum() >= expected.sum() - 1
    assert 5 < ours.sum() < COUNT


def test_autoattack_leaves_nothing_of_an_undefended_network(
    network: nn.Module, labelled: tuple[Tensor, Tensor]
) -> None:
    images, labels = labelled
    attack = AutoAttack(name="a", eps=4 / 255, iterations=10)
    found = attack(network, images, labels, SEEDS)
    check_result(images, found, attack.eps, attack.norm)
    assert found.succeeded.all()
    assert torch.equal(found.columns["broken_by"] == 0, errors(network, images, labels))
