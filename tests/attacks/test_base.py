import hashlib
from typing import Any

import pytest
import torch
from attack_toys import mlp, pictures
from configs import composed
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import AttackResult, attacked, image_seed, traits_of
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.building import build
from oodbench.core.schema import shipped
from oodbench.metrics.attack_traits import AttackTraits, traits_before_they_were_stored


def test_seed_is_the_masked_start_of_the_hash() -> None:
    text = hashlib.sha256(b"3:val/n01440764/a.JPEG").hexdigest()[:16]
    assert image_seed(3, "val/n01440764/a.JPEG") == int(text, 16) % 2**63


def test_seed_hand_worked() -> None:
    # echo -n "0:a.png" | sha256sum -> a2d18bd99fde25fe...; without its top bit, a becomes 2
    assert image_seed(0, "a.png") == 0x22D18BD99FDE25FE


def test_seeds_differ_and_fit_a_generator() -> None:
    seeds = {image_seed(seed, f"{i}.png") for seed in range(3) for i in range(300)}
    assert len(seeds) == 900
    for seed in seeds:
        assert 0 <= seed < 2**63
    torch.Generator().manual_seed(max(seeds))


class Counted(nn.Module):
    """Counts its passes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return torch.as_tensor(self.network(images))


LIBRARY = {"eps": 0.05, "alpha": 0.02, "steps": 2}
TAKING: list[Any] = [
    PGD(name="pgd_linf", eps=0.05, step_size=0.02, iterations=3),
    PGD(name="pgd_all", eps=0.05, step_size=0.02, iterations=2, target="top_k", early_stop=False),
    TargetedPGD(eps=0.06, step_size=0.02, iterations=3),
    CarliniWagnerL2(name="cw_l2", iterations=2),
    APGD(name="apgd", eps=0.05, iterations=3, loss="dlr_targeted", targets=2),
    Square(name="square", eps=0.05, queries=3),
    AutoAttack(name="autoattack", eps=0.05, iterations=2, targets=2, queries=2),
    TorchAttack(name="library", attack="PGD", eps=0.05, arguments=LIBRARY, target="random"),
]


@pytest.mark.parametrize("attack", TAKING, ids=lambda attack: attack.name)
def test_clean_logits_that_are_known_spare_a_pass_and_change_nothing(attack: Any) -> None:
    network, images = mlp(), pictures(6)
    labels = network(images).argmax(1)
    labels[0] = (labels[0] + 1) % labels.max()
    found, passes = [], []
    for known in (None, network(images)):
        counted = Counted(network)
        found.append(attacked(attack, counted, images, labels, list(range(6)), known))
        passes.append(counted.passes)
    without, given = found
    assert passes[1] < passes[0]
    assert torch.equal(given.images, without.images)
    assert torch.equal(given.succeeded, without.succeeded)
    assert torch.equal(given.iterations, without.iterations)
    assert given.columns.keys() == without.columns.keys()
    for name, values in without.columns.items():
        torch.testing.assert_close(given.columns[name], values)


def test_an_attack_that_takes_no_clean_logits_is_given_none() -> None:
    def attack(*arguments: Any) -> AttackResult:
        return AttackResult(arguments[1], *arguments[2:])

    images = pictures(1)
    made: Any = attacked(attack, mlp(), images, 1, 2, images)  # type: ignore[arg-type]
    assert (made.images is images, made.succeeded, made.iterations) == (True, 1, 2)


FOOLBOX_WARNING = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ATTACKS = [name for name in shipped("attack") if name != "none"]


def made(name: str, *overrides: str) -> tuple[Any, dict[str, Any]]:
    """A shipped attack, and its config."""
    source = ["model@attack.source=efficientnet_lite0"] if name == "transfer" else []
    node = composed(f"attack={name}", *source, *overrides).attack
    return build(node, "attack"), node


@pytest.mark.parametrize(
    ("name", "override", "expected"),
    [
        ("pgd_linf", "seed=0", {"eps": 8 / 255}),
        ("pgd_l2", "seed=0", {"eps": 0.5, "norm": "l2"}),
        ("pgd_all_steps", "seed=0", {"eps": 8 / 255, "judges_last_iterate": True}),
        ("pgd_linf", "attack.random_start=false", {"eps": 8 / 255, "uses_seed": False}),
        ("fgsm", "seed=0", {"eps": 8 / 255, "steps_key": "", "uses_seed": False}),
        ("fgsm", "attack.target=random", {"eps": 8 / 255, "steps_key": ""}),
        ("pgd_targeted", "seed=0", {"eps": 0.06}),
        ("cw_l2", "seed=0", {"eps": None, "norm": "l2", "uses_seed": False}),
        (
            "square",
            "seed=0",
            {"eps": 8 / 255, "needs_gradients": False, "steps_key": "queries"},
        ),
        ("autoattack", "seed=0", {"eps": 4 / 255, "gradient_free_part": True}),
        (
            "transfer",
            "seed=0",
            {
                "eps": 8 / 255,
                "needs_gradients": False,
                "on_scored_network": False,
                "steps_key": "",
            },
        ),
        (
            "torchattacks",
            "seed=0",
            {"eps": 8 / 255, "judges_last_iterate": True, "steps_key": "arguments.steps"},
        ),
    ],
)
def test_what_attacks_say_of_themselves(name: str, override: str, expected: dict[str, Any]) -> None:
    assert traits_of(made(name, override)[0]) == AttackTraits(**expected)


@FOOLBOX_WARNING
@pytest.mark.parametrize("name", ATTACKS)
def test_the_table_for_old_results_says_the_same(name: str) -> None:
    attack, node = made(name)
    assert traits_before_they_were_stored(node) == traits_of(attack)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("pgd_linf", ["attack.random_start=false"]),
        ("pgd_linf", ["attack.random_start=false", "attack.target=random"]),
        ("pgd_linf", ["+attack.early_stop=false"]),
        ("fgsm", ["attack.target=random"]),
        ("torchattacks", ["attack.attack=VANILA"]),
        ("square", ["attack.norm=l2", "attack.eps=2"]),
    ],
)
def test_and_where_arguments_decide(name: str, overrides: list[str]) -> None:
    attack, node = made(name, *overrides)
    assert traits_before_they_were_stored(node) == traits_of(attack)


def test_an_attack_that_says_little_has_the_defaults() -> None:
    class Mine:
        name, eps, norm, needs_gradients = "mine", 0.1, "l2", False

    mine: Any = Mine()
    assert traits_of(mine) == AttackTraits(eps=0.1, norm="l2", needs_gradients=False)
