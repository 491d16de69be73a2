"""The adapter against foolbox itself, on a small network."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from oodbench.attacks.foolbox import FoolboxAttack
from oodbench.core.building import build
from oodbench.core.errors import AttackError, ConfigError
from oodbench.sweeps.composing import register_all

with warnings.catch_warnings():
    # foolbox 3.3.4 imports a name that SciPy will remove.
    warnings.simplefilter("ignore", DeprecationWarning)
    import foolbox

EPS = 8 / 255
COUNT, CLASSES = 12, 5


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        body = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten(), nn.Linear(216, CLASSES)
        )
    return body.eval().requires_grad_(False)


def pictures() -> Tensor:
    return torch.rand(COUNT, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def attack(name: str = "LinfPGD", eps: float | None = EPS, **fields: Any) -> FoolboxAttack:
    arguments = fields.pop("arguments", {"steps": 5, "random_start": False})
    return FoolboxAttack(name="mine", attack=name, arguments=arguments, eps=eps, **fields)


@pytest.mark.parametrize(
    ("name", "norm", "eps"), [("LinfPGD", "linf", EPS), ("L2PGD", "l2", 0.5), ("FGSM", "linf", EPS)]
)
def test_without_random_start_it_is_the_library(name: str, norm: str, eps: float) -> None:
    model, images = network(), pictures()
    labels = model(images).argmax(1)
    arguments = {"random_start": False} | ({} if name == "FGSM" else {"steps": 5})
    result = attack(name, eps, norm=norm, arguments=arguments)(
        model, images, labels, list(range(COUNT))
    )
    library = getattr(foolbox.attacks, name)(**arguments)
    _, expected, success = library(
        foolbox.PyTorchModel(model, bounds=(0, 1)), images, labels, epsilons=eps
    )
    assert torch.equal(result.images, expected)
    assert torch.equal(result.succeeded, success)
    assert result.succeeded.any()
    assert result.iterations.tolist() == [1 if name == "FGSM" else 5] * COUNT


@pytest.mark.parametrize(("name", "norm", "eps"), [("LinfPGD", "linf", EPS), ("L2PGD", "l2", 0.5)])
def test_random_start_depends_on_the_image_and_its_seed_alone(
    name: str, norm: str, eps: float
) -> None:
    model, images = network().double(), pictures().double()
    labels = model(images).argmax(1)
    seeds = list(range(COUNT))
    mine = attack(name, eps, norm=norm, arguments={"steps": 3})
    together = mine(model, images, labels, seeds).images
    backwards = mine(model, images.flip(0), labels.flip(0), seeds[::-1]).images.flip(0)
    torch.testing.assert_close(together, backwards, rtol=0, atol=1e-12)
    other = mine(model, images, labels, [seed + 1 for seed in seeds]).images
    assert not torch.allclose(together, other)


def test_a_target_is_pursued_as_by_the_library() -> None:
    model, images = network().double(), pictures().double()
    labels = model(images).argmax(1)
    result = attack(target="least_likely")(model, images, labels, list(range(COUNT)))
    targets = model(images).argmin(1)
    assert torch.equal(result.columns["target"], targets)
    library = foolbox.attacks.LinfPGD(steps=5, random_start=False)
    criterion = foolbox.TargetedMisclassification(targets)
    _, expected, success = library(
        foolbox.PyTorchModel(model, bounds=(0, 1)), images, criterion, epsilons=EPS
    )
    torch.testing.assert_close(result.images, expected, atol=1e-12, rtol=0)
    assert torch.equal(result.succeeded, success)


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [("FGSM", "random", "takes no targets"), ("GenAttack", "none", "needs a target")],
)
def test_a_goal_that_the_attack_lacks(name: str, target: str, message: str) -> None:
    model, images = network(), pictures()
    lacking = attack(name, arguments={}, target=target)
    with pytest.raises(ConfigError, match=rf"attack\.target={target}: .* of foolbox {message}"):
        lacking(model, images, model(images).argmax(1), list(range(COUNT)))


def test_minimisation_attack_without_and_with_a_bound() -> None:
    model, images = network(), pictures()
    labels = model(images).argmax(1)
    free = attack("L2DeepFoolAttack", None, norm="l2", arguments={})
    assert free(model, images, labels, list(range(COUNT))).succeeded.all()
    bound = attack("L2DeepFoolAttack", 0.01, norm="l2", arguments={})
    change = bound(model, images, labels, list(range(COUNT))).images - images
    assert float(change.flatten(1).norm(dim=1).max()) <= 0.01 + 1e-6


def test_network_stays_in_evaluation_mode() -> None:
    model, images = network(), pictures()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    attack()(model, images, model(images).argmax(1), list(range(COUNT)))
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_normalised_images_are_refused() -> None:
    model, images = network(), pictures() * 4 - 2
    with pytest.raises(AttackError, match=r"outside \[0, 1\] before the attack"):
        attack()(model, images, model(images).argmax(1), list(range(COUNT)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "LinfPDG"}, "unknown attack.attack=LinfPDG: did you mean LinfPGD"),
        ({"arguments": {"stpes": 5}}, "unknown key attack.arguments.stpes: did you mean steps"),
        ({"eps": None}, "attack.eps=null: LinfPGD of foolbox needs a radius"),
        ({"norm": "l2"}, "attack.norm=l2: LinfPGD of foolbox measures"),
        ({"eps": -1.0}, "attack.eps=-1.0: must be a number of at least 0"),
        ({"norm": "l1"}, "attack.norm=l1: this attack has linf, l2"),
    ],
)
def test_bad_arguments(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        attack(**fields)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "foolbox", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[foolbox\]'"):
        attack()


@pytest.mark.parametrize(
    ("name", "steps"),
    [("LinfPGD", 40), ("FGSM", 1), ("LinfBasicIterativeAttack", 10)],
)
def test_an_attack_by_its_name_alone(name: str, steps: int) -> None:
    """The shipped config carries no argument of one attack; steps are those of foolbox's docs."""
    register_all()
    node = OmegaConf.load(Path(__file__).parents[2] / "conf" / "attack" / "foolbox.yaml")
    node.attack = name
    built = build(OmegaConf.to_container(node, resolve=True), "attack")  # type: ignore[arg-type]
    assert built.eps == pytest.approx(8 / 255)
    model, images = network(), pictures()
    result = built(model, images, model(images).argmax(1), list(range(COUNT)))
    assert set(result.iterations.tolist()) == {steps}
