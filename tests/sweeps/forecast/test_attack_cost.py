"""Passes through the network, against each attack's own numbers."""

from typing import Any

import pytest
import torch

from oodbench.sweeps.forecast.attack_cost import BACKWARD, PassCounts, attack_passes

PGD = {"_target_": "oodbench.attacks.pgd.PGD", "eps": 0.03, "step_size": 0.01, "random_start": True}


def test_no_attack_is_one_forward_pass() -> None:
    assert attack_passes({"name": "none"}) == PassCounts(1, 0)
    assert PassCounts(1, 0).weight == 1


@pytest.mark.parametrize(
    ("attack", "backward", "forward"),
    [
        ({"_target_": "oodbench.attacks.pgd.FGSM", "eps": 0.03}, 1, 1),
        ({**PGD, "iterations": 10}, 10, 10),
        ({**PGD, "iterations": 10, "restarts": 3}, 30, 30),
        (
            {
                "_target_": "oodbench.attacks.pgd_targeted.TargetedPGD",
                "eps": 0.06,
                "step_size": 0.01,
                "iterations": 10,
            },
            10,
            10,
        ),
        (
            {"_target_": "oodbench.attacks.square.Square", "eps": 0.03, "queries": 200},
            0,
            200,
        ),
        (
            {"_target_": "oodbench.attacks.apgd.APGD", "eps": 0.03, "iterations": 20, "loss": "ce"},
            20,
            20,
        ),
    ],
)
def test_an_attack_takes_its_steps(attack: dict[str, Any], backward: int, forward: int) -> None:
    before = torch.get_rng_state()
    passes = attack_passes({"name": "mine", **attack})
    assert passes.backward == backward
    # With the clean prediction, the scored one, and a few of the attack's own on each restart.
    assert forward + 2 <= passes.forward <= forward + 2 + 8
    assert passes.weight == passes.forward + BACKWARD * passes.backward
    assert torch.equal(torch.get_rng_state(), before)


def test_the_clean_prediction_is_made_once_for_run_and_attack() -> None:
    """Twelve looks at a picture that withstands ten steps, and one to score it."""
    attack = {"name": "mine", **PGD, "iterations": 10}
    assert attack_passes(attack) == PassCounts(forward=1 + 11 + 1, backward=10)


def test_a_transfer_attack_works_on_its_source() -> None:
    attack = {
        "_target_": "oodbench.attacks.transfer.Transfer",
        "name": "transfer",
        "_recursive_": False,
        "attack": {"name": "mine", **PGD, "iterations": 10},
        "source": {"name": "resnet50", "network": {}},
    }
    passes = attack_passes(attack)
    assert (passes.forward, passes.backward) == (2, 0)
    assert passes.source_backward == 10
    assert passes.source_weight >= 10 * (1 + BACKWARD)
