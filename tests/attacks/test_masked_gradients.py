"""Each network with masked gradients, under each attack, either falls or is marked by a check."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from attack_records import records_of_attack
from attack_toys import conv_net, mlp, pictures, predictions
from masked_networks import MaskedNetwork
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack, traits_of
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.foolbox import FoolboxAttack
from oodbench.attacks.pgd import FGSM, PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.metrics.attack_checks import AttackReport, attack_report

COUNT = 8
LINF = {"eps": 0.02}
L2 = {"eps": 0.3, "norm": "l2"}

FOOLBOX_WARNING = pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)


class OtherLogits(nn.Module):
    """The same predictions from other logits."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.change = change
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.change(self.network(images))


def largest_alone(gradients: Tensor) -> Tensor:
    """Of each picture the gradient of one value."""
    flat = gradients.flatten(1)
    at = flat.abs().argmax(1, keepdim=True)
    return torch.zeros_like(flat).scatter(1, at, flat.gather(1, at)).view_as(gradients)


def one_hot(logits: Tensor) -> Tensor:
    return 10 * F.one_hot(logits.argmax(1), logits.shape[1]) + 0 * logits


Masking = Callable[[nn.Module], nn.Module]


def masked(mask: Callable[[Tensor], Tensor]) -> Masking:
    return lambda network: MaskedNetwork(network, mask)


def changed(change: Callable[[Tensor], Tensor]) -> Masking:
    return lambda network: OtherLogits(network, change)


MASKINGS: dict[str, Masking] = {
    "zero": masked(lambda gradients: 0 * gradients),
    "flipped": masked(lambda gradients: -gradients),
    "rounded": masked(lambda gradients: gradients.round()),
    "tiny": masked(lambda gradients: 1e-15 * gradients),
    "one_value": masked(largest_alone),
    "saturated": changed(lambda logits: 1e4 * logits),
    "one_hot": changed(one_hot),
    "steps": changed(lambda logits: (2 * logits).round() / 2),
}


def pgd(norm: dict[str, Any], **more: Any) -> Attack:
    return PGD(name="p", step_size=norm["eps"] / 4, iterations=8, **norm, **more)


def torchattack(name: str, norm: str = "linf", **arguments: Any) -> Attack:
    return TorchAttack(name=name, attack=name, eps=None, norm=norm, arguments=arguments)


ATTACKS: dict[str, Callable[[], Attack]] = {
    "fgsm": lambda: FGSM(**LINF),
    "pgd_linf": lambda: pgd(LINF),
    "pgd_l2": lambda: pgd(L2),
    "pgd_last": lambda: pgd(LINF, early_stop=False),
    "pgd_target": lambda: pgd(LINF, target="random"),
    "published": lambda: TargetedPGD(eps=0.04, step_size=0.01, iterations=8),
    "apgd_ce": lambda: APGD(name="a", iterations=15, **LINF),
    "apgd_ce_l2": lambda: APGD(name="a", iterations=15, **L2),
    "apgd_t": lambda: APGD(name="a", loss="dlr_targeted", targets=3, iterations=15, **LINF),
    "autoattack": lambda: AutoAttack(name="aa", iterations=10, targets=3, queries=100, **LINF),
    "autoattack_l2": lambda: AutoAttack(name="aa", iterations=10, targets=3, queries=100, **L2),
    "cw_l2": lambda: CarliniWagnerL2(name="c", iterations=40),
    "torchattacks_pgd": lambda: torchattack("PGD", steps=8, alpha=0.005, **LINF),
    "torchattacks_cw": lambda: torchattack("CW", "l2", steps=40),
    "torchattacks_fab": lambda: torchattack("FAB", steps=8, **LINF),
    "foolbox_deepfool": lambda: FoolboxAttack(
        name="f", attack="LinfDeepFoolAttack", arguments={"steps": 10}, **LINF
    ),
}
UNCONVERGED = "still falling at the last iteration"
MISSED = "failures that are misclassified anyway"
"""Checks that say something else of an attack."""


def report(name: str, network: nn.Module) -> AttackReport:
    images = pictures(COUNT, torch.float32)
    labels = predictions(network, images)
    attack = ATTACKS[name]()
    return attack_report(records_of_attack(attack, network, images, labels), traits_of(attack))


def marks(found: AttackReport) -> set[str]:
    warnings = {check.name for check in found.checks if check.verdict == "warn"}
    return warnings - {UNCONVERGED, MISSED}


@FOOLBOX_WARNING
@pytest.mark.parametrize("make", [mlp, pytest.param(conv_net, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ATTACKS)
def test_each_falls_or_is_marked(name: str, make: Callable[..., nn.Module]) -> None:
    truth = report(name, make(torch.float32))
    assert truth.accuracy.value < 0.8
    assert not marks(truth)
    for masking, mask in MASKINGS.items():
        found = report(name, mask(make(torch.float32)))
        fell = found.strict_accuracy.value <= truth.strict_accuracy.value + 1 / COUNT
        assert fell or marks(found), masking


def test_what_only_the_part_without_gradients_breaks() -> None:
    images = pictures(COUNT, torch.float32)
    network = MASKINGS["zero"](mlp(torch.float32))
    labels = predictions(network, images)
    records = records_of_attack(ATTACKS["autoattack"](), network, images, labels)
    broken = records["broken_by"] == 4
    assert 0 < broken.sum() < COUNT
    assert (records["broken_without_gradients"] == broken).all()
    assert records["zero_gradient"].all()
    # Two parts of the four count them: one run of ten steps, and three.
    assert (records["steps_without_gradient"] >= 40).all()
    found = attack_report(records, traits_of(ATTACKS["autoattack"]()))
    (check,) = (check for check in found.checks if check.name == "broken without gradients alone")
    assert (check.verdict, check.figure) == ("warn", broken.mean())
    assert check.detail == f"{broken.sum()} of 8 pictures ({broken.sum()} by part 4)."
