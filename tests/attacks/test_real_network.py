"""The attacks on efficientnet_lite0 with its own weights and real pictures, against libraries."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchattacks
from hydra import compose, initialize_config_module
from PIL import Image
from torch import Tensor, nn

from oodbench.attacks.base import generator_of
from oodbench.attacks.checks import check_result
from oodbench.attacks.pgd import PGD
from oodbench.core.building import build
from oodbench.core.schema import validate
from oodbench.metrics.intervals import rate
from oodbench.models.build import build_classifier
from oodbench.models.folded.networks import FoldedNetworks
from oodbench.models.weights import find_weights
from oodbench.sweeps.composing import register_all

DATA = os.environ.get("OODBENCH_TEST_DATA")
pytestmark = pytest.mark.skipif(
    not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures"
)

COUNT, STEPS = 16, 3
RADII = {"linf": 1 / 255, "l2": 0.4}
Case = tuple[nn.Module, Tensor, Tensor]


@pytest.fixture(scope="module")
def case() -> Case:
    """The classifier, pictures of different classes, and its predictions as labels."""
    register_all()
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        steps = ["preprocessing.resize=182", "preprocessing.crop=160"]  # for speed
        overrides = ["model=efficientnet_lite0", "preprocessing=resize256_crop224", *steps]
        run = validate(compose("config", overrides))
    files = find_weights(run.model.name, run.model.weights, Path(), download=False)
    classifier = build_classifier(run.model, weights_files=files)
    transform = build(run.preprocessing, "preprocessing")
    folders = sorted((Path(str(DATA)) / "imagenet" / "val").iterdir())[::30][:COUNT]
    paths = [next(iter(sorted(folder.iterdir()))) for folder in folders]
    pixels = np.stack([transform(Image.open(path).convert("RGB")) for path in paths])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
    with torch.no_grad():
        return classifier, images, classifier(images).argmax(1)


def ours(case: Case, norm: str) -> Any:
    classifier, images, labels = case
    attack = PGD(
        name="pgd",
        norm=norm,
        eps=RADII[norm],
        step_size=RADII[norm] / 2,
        iterations=STEPS,
        early_stop=False,
    )
    result = attack(classifier, images, labels, list(range(COUNT)))
    check_result(images, result, RADII[norm], attack.norm)
    return attack, result


def starts(attack: PGD, images: Tensor) -> Tensor:
    draws = [attack.rules.ball.draw(image.shape, generator_of(i)) for i, image in enumerate(images)]
    return (images + torch.stack(draws).float()).clamp(0, 1)


def test_it_is_folded(case: Case) -> None:
    classifier, images, _ = case
    folded = FoldedNetworks().of(classifier, images[:8])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


@pytest.mark.slow
@pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_same_successes_as_foolbox_3(case: Case, norm: str) -> None:
    from foolbox import Misclassification, PyTorchModel
    from foolbox.attacks import L2PGD, LinfPGD

    classifier, images, labels = case
    attack, found = ours(case, norm)

    class SharedStart(LinfPGD if norm == "linf" else L2PGD):  # type: ignore[misc]
        def get_random_start(self, x0: Any, epsilon: float) -> object:
            return type(x0)(starts(attack, images))

    foreign = SharedStart(abs_stepsize=RADII[norm] / 2, steps=STEPS, random_start=True)
    model = PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    _, _, hit = foreign(model, images, Misclassification(labels), epsilons=RADII[norm])
    assert torch.equal(found.succeeded, hit)
    assert 0 < int(hit.sum()) < COUNT


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_same_successes_as_torchattacks(case: Case, norm: str) -> None:
    classifier, images, labels = case
    peer = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    attack = PGD(
        name="pgd",
        norm=norm,
        eps=RADII[norm],
        step_size=RADII[norm] / 2,
        iterations=STEPS,
        random_start=False,
        early_stop=False,
    )
    found = attack(classifier, images, labels, list(range(COUNT)))
    library = peer(
        classifier, eps=RADII[norm], alpha=RADII[norm] / 2, steps=STEPS, random_start=False
    )
    adversarial = library(images, labels)
    with torch.no_grad():
        hit = classifier(adversarial).argmax(1) != labels
    assert torch.equal(found.succeeded, hit)


@pytest.mark.slow
def test_success_does_not_fall_when_eps_doubles(case: Case) -> None:
    classifier, images, labels = case
    found = []
    for eps in (0.25 / 255, 0.5 / 255, 1 / 255, 2 / 255):
        attack = PGD(name="pgd", eps=eps, step_size=eps / 2, iterations=STEPS)
        result = attack(classifier, images, labels, list(range(COUNT)))
        found.append(rate(result.succeeded.numpy()))
    for smaller, larger in zip(found, found[1:], strict=False):
        assert larger.high >= smaller.value
    assert found[-1].value > found[0].value
