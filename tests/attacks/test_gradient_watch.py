"""Gradients that are none are seen under every attack, whatever the network predicts."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attack_toys import mlp, pictures, predictions
from masked_networks import AtPass, MaskedNetwork
from torch import nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack, AttackResult
from oodbench.attacks.checks import ImageError
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.torchattacks import TorchAttack

COUNT = 6
STEPS = 5


def pgd(norm: str, **more: Any) -> Attack:
    return PGD(name="p", eps=1e-4, step_size=1e-5, iterations=STEPS, norm=norm, **more)


def library(name: str, **arguments: Any) -> Attack:
    return TorchAttack(name=name, attack=name, eps=None, arguments={"steps": STEPS, **arguments})


ATTACKS: dict[str, Callable[[], Attack]] = {
    "pgd_linf": lambda: pgd("linf"),
    "pgd_l2": lambda: pgd("l2"),
    "pgd_last": lambda: pgd("linf", early_stop=False),
    "published": lambda: TargetedPGD(eps=1e-4, step_size=1e-5, iterations=STEPS),
    "apgd_linf": lambda: APGD(name="a", eps=1e-4, iterations=STEPS),
    "apgd_l2": lambda: APGD(name="a", eps=1e-4, norm="l2", iterations=STEPS),
    "autoattack": lambda: AutoAttack(name="a", eps=1e-4, iterations=STEPS),
    "cw": lambda: CarliniWagnerL2(name="c", iterations=STEPS, learning_rate=1e-6),
    "torchattacks_pgd": lambda: library("PGD", eps=1e-4, alpha=1e-5),
    "torchattacks_cw": lambda: library("CW", lr=1e-6),
    "torchattacks_fab": lambda: library("FAB", eps=1e-4, multi_targeted=True, n_classes=3),
}
"""All too weak to succeed, so that pictures go through the network in lockstep."""


def attacked(attack: Attack, network: nn.Module) -> AttackResult:
    images = pictures(COUNT, torch.float32)
    return attack(network, images, predictions(network, images), list(range(COUNT)))


@pytest.mark.parametrize("factor", [math.nan, math.inf])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_gradient_that_is_no_number_names_picture_and_iteration(name: str, factor: float) -> None:
    network = MaskedNetwork(mlp(torch.float32), AtPass(2, 4, factor))
    with pytest.raises(ImageError, match="NaN or infinite at iteration 2") as error:
        attacked(ATTACKS[name](), network)
    assert error.value.position == 4


def test_in_a_part_of_the_batch_too() -> None:
    # Parts of two: the passes 0 to 4 are those of the first part.
    network = MaskedNetwork(mlp(torch.float32), AtPass(STEPS + 2, 1, math.nan))
    attack = TorchAttack(
        name="p", attack="PGD", eps=None, arguments={"steps": STEPS, "eps": 1e-4}, micro_batch=2
    )
    with pytest.raises(ImageError, match="NaN or infinite at iteration 2") as error:
        attacked(attack, network)
    assert error.value.position == 3


def test_one_that_a_library_takes_of_a_part_alone() -> None:
    # JSMA goes through pictures one by one, in batches of one: which one it is, is not known.
    network = MaskedNetwork(mlp(torch.float32), lambda gradients: gradients * math.nan)
    attack = TorchAttack(name="j", attack="JSMA", eps=None, arguments={})
    with pytest.raises(ImageError, match="NaN or infinite at iteration 0") as error:
        attacked(attack, network)
    assert error.value.position == 0


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "autoattack"])
def test_a_gradient_of_zero_is_recorded_and_counted(name: str) -> None:
    found = attacked(ATTACKS[name](), MaskedNetwork(mlp(torch.float32), AtPass(0, 1, 0.0)))
    assert found.columns["zero_gradient"].tolist() == [row == 1 for row in range(COUNT)]
    steps = 2 * STEPS if name == "torchattacks_fab" else STEPS  # for each of two targets
    expected = [steps if row == 1 else 0 for row in range(COUNT)]
    assert found.columns["steps_without_gradient"].tolist() == expected


@pytest.mark.parametrize("name", ["pgd_linf", "pgd_l2", "apgd_linf", "apgd_l2", "cw"])
def test_one_that_vanishes_on_the_way_is_counted(name: str) -> None:
    found = attacked(ATTACKS[name](), MaskedNetwork(mlp(torch.float32), AtPass(2, None, 0.0)))
    assert not found.columns["zero_gradient"].any()
    assert found.columns["steps_without_gradient"].tolist() == [STEPS - 2] * COUNT


@pytest.mark.parametrize(("norm", "without"), [("l2", True), ("linf", False)])
def test_a_gradient_too_small_for_a_step(norm: str, without: bool) -> None:
    # A length below 1e-12 is shorter than a step in l_2; its sign is a whole step in l_inf.
    network = MaskedNetwork(mlp(torch.float32), lambda gradients: gradients * 1e-15)
    for attack in (pgd(norm), APGD(name="a", eps=1e-4, norm=norm, iterations=STEPS)):
        found = attacked(attack, network)
        assert found.columns["zero_gradient"].tolist() == [without] * COUNT
        assert found.columns["steps_without_gradient"].tolist() == [STEPS * without] * COUNT
