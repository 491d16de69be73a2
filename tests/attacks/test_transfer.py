"""Transfer attacks: made on one network, scored on another, made once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from attack_toys import CLASSES, conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import ImageError
from oodbench.attacks.pgd import PGD
from oodbench.attacks.transfer import Transfer
from oodbench.attacks.transfer_store import TransferStore
from oodbench.core.errors import ConfigError

COUNT = 12
INNER = {
    "_target_": "oodbench.attacks.pgd.PGD",
    "name": "pgd_linf",
    "eps": 0.06,
    "step_size": 0.015,
    "iterations": 6,
}
SEEDS = list(range(100, 100 + COUNT))


class Sources:
    """Builds the source and counts how often."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self) -> nn.Module:
        self.built += 1
        return conv_net(torch.float32)


def transfer(folder: Path, sources: Sources, **inner: Any) -> Transfer:
    attack = Transfer(name="transfer", source={"name": "conv"}, attack=INNER | inner)
    attack.connect(sources, TransferStore(folder))
    return attack


def clean() -> tuple[Tensor, Tensor]:
    images = pictures(COUNT, torch.float32)
    return images, predictions(conv_net(torch.float32), images)


def test_it_is_the_attack_on_the_source_scored_on_the_target(tmp_path: Path) -> None:
    images, labels = clean()
    target, source = mlp(torch.float32), conv_net(torch.float32)
    found = transfer(tmp_path, Sources())(target, images, labels, SEEDS)
    made = PGD(name="x", eps=0.06, step_size=0.015, iterations=6)(source, images, labels, SEEDS)
    # Rounding of a change to float16 loses less than 1/1024 of it.
    assert (found.images - made.images).abs().max() < 0.06 / 1000
    assert torch.equal(found.columns["source_succeeded"], made.succeeded)
    assert torch.equal(found.iterations, made.iterations)
    assert torch.equal(found.columns["source_attack_loss"], made.columns["attack_loss"])
    assert torch.equal(found.columns["source_prediction"], predictions(source, found.images).cpu())
    assert torch.equal(found.succeeded, predictions(target, found.images) != labels)
    assert made.succeeded.any()
    assert (found.images - images).abs().max() <= 0.06 + 1e-6


def test_it_takes_radius_and_norm_of_the_attack_on_the_source(tmp_path: Path) -> None:
    attack = transfer(tmp_path, Sources(), norm="l2", eps=0.7)
    assert (attack.eps, attack.norm) == (0.7, "l2")
    images, labels = clean()
    found = attack(mlp(torch.float32), images, labels, SEEDS)
    change = (found.images - images).double().flatten(1)
    assert change.norm(dim=1).max() <= 0.7 + 1e-6


def test_pictures_are_made_once_for_all_targets_and_batches(tmp_path: Path) -> None:
    images, labels = clean()
    first = Sources()
    one = transfer(tmp_path, first)
    a = one(mlp(torch.float32), images[:5], labels[:5], SEEDS[:5])
    one(mlp(torch.float32), images[5:9], labels[5:9], SEEDS[5:9])
    assert first.built == 1
    second = Sources()
    other = transfer(tmp_path, second)
    b = other(conv_net(torch.float32), images[:9], labels[:9], SEEDS[:9])
    assert second.built == 0  # all nine are there
    assert torch.equal(a.images, b.images[:5])
    whole = other(conv_net(torch.float32), images, labels, SEEDS)
    assert second.built == 1
    assert torch.equal(whole.images[:9], b.images)
    assert len(list(tmp_path.rglob("*.npz"))) == COUNT


def test_a_damaged_picture_is_made_again(tmp_path: Path) -> None:
    images, labels = clean()
    target = mlp(torch.float32)
    before = transfer(tmp_path, Sources())(target, images, labels, SEEDS)
    for path in sorted(tmp_path.rglob("*.npz"))[:3]:
        path.write_bytes(path.read_bytes()[:-30])
    sources = Sources()
    after = transfer(tmp_path, sources)(target, images, labels, SEEDS)
    assert sources.built == 1
    assert torch.equal(before.columns["source_succeeded"], after.columns["source_succeeded"])
    again = transfer(tmp_path, Sources())(target, images, labels, SEEDS)
    assert torch.equal(again.images, after.images)


def test_a_target_of_the_attack_on_the_source_is_recorded(tmp_path: Path) -> None:
    images, labels = clean()
    found = transfer(tmp_path, Sources(), target="random")(
        mlp(torch.float32), images, labels, SEEDS
    )
    assert (found.columns["source_target"] != labels).all()
    assert found.columns["source_target"].max() < CLASSES


def test_no_radius_gives_clean_predictions(tmp_path: Path) -> None:
    images, labels = clean()
    target = mlp(torch.float32)
    found = transfer(tmp_path, Sources(), eps=0.0)(target, images, labels, SEEDS)
    assert torch.equal(found.images, images)
    assert torch.equal(found.succeeded, predictions(target, images) != labels)


class WithoutGradients(nn.Module):
    """As an ONNX file: refuses pictures that ask for a gradient."""

    def forward(self, images: Tensor) -> Tensor:
        assert not images.requires_grad
        return images.flatten(1)[:, :CLASSES]


def test_a_target_needs_no_gradients(tmp_path: Path) -> None:
    images, labels = clean()
    with torch.enable_grad():
        found = transfer(tmp_path, Sources())(WithoutGradients(), images, labels, SEEDS)
    assert len(found.succeeded) == COUNT


class Broken:
    """An attack that leaves the range at one picture."""

    name = "broken"
    eps = None
    norm = "linf"

    def __init__(self, *, name: str) -> None:
        self.name = name

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        changed = images.clone()
        changed[[seed == SEEDS[7] for seed in seeds]] = 2.0
        return AttackResult(changed, labels == labels, labels, {})


def test_a_broken_promise_names_the_picture_in_the_whole_batch(tmp_path: Path) -> None:
    images, labels = clean()
    attack = Transfer(
        name="t", source={"name": "conv"}, attack={"_target_": f"{__name__}.Broken", "name": "b"}
    )
    attack.connect(Sources(), TransferStore(tmp_path))
    attack(mlp(torch.float32), images[:5], labels[:5], SEEDS[:5])
    with pytest.raises(ImageError, match=r"outside \[0, 1\]") as caught:
        attack(mlp(torch.float32), images, labels, SEEDS)
    assert caught.value.position == 7


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="model@attack.source=NAME"):
        Transfer(name="t", attack=INNER)
    with pytest.raises(ConfigError, match="attack@attack.attack=NAME"):
        Transfer(name="t", source={"name": "conv"}, attack={"name": "none"})
    with pytest.raises(ConfigError, match="unknown key attack.attack.epz"):
        Transfer(name="t", source={"name": "conv"}, attack=INNER | {"epz": 1})
