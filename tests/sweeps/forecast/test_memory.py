"""Bytes at the peak, worked out by hand."""

from typing import Any

import pytest

from oodbench.core.files import GIB
from oodbench.sweeps.forecast.memory import clean_bytes, gradient_bytes, refills_batches
from oodbench.sweeps.forecast.network_cost import NetworkCost

COST = NetworkCost(macs=1, parameters=1_000, widest=500, kept=10_000)
PIXELS = 224**2
PARAMETERS = 4 * 4 * 1_000
PGD = {"_target_": "oodbench.attacks.pgd.PGD"}
FOOLBOX = {"_target_": "oodbench.attacks.foolbox.FoolboxAttack"}
OWN = {"_target_": f"{__name__}.Own"}


class Own:
    """An attack that says nothing of batches."""


def test_a_clean_run_holds_one_layer_of_two_batches() -> None:
    assert clean_bytes(COST, 8) == PARAMETERS + 500 * 8 * 2


@pytest.mark.parametrize(
    ("attack", "batch", "pictures"),
    [
        (PGD, 16, 8),
        (PGD, 4, 4),
        ({**PGD, "micro_batch": 12}, 16, 12),
        ({**PGD, "micro_batch": 32}, 16, 16),
        # A library gets the whole batch.
        (FOOLBOX, 16, 16),
        ({**FOOLBOX, "micro_batch": 2}, 16, 2),
        # As a class of one's own that says nothing.
        (OWN, 16, 16),
    ],
)
def test_gradients_keep_the_layers_of_what_is_attacked_at_once(
    attack: dict[str, Any], batch: int, pictures: int
) -> None:
    assert gradient_bytes(COST, attack, batch, PIXELS, "cpu") == PARAMETERS + 10_000 * pictures


def test_a_gpu_takes_more_at_once_and_as_many_pixels() -> None:
    assert gradient_bytes(COST, PGD, 1024, PIXELS, "cuda") == PARAMETERS + 10_000 * 256
    assert gradient_bytes(COST, PGD, 1024, 4 * PIXELS, "cuda") == PARAMETERS + 10_000 * 64
    assert gradient_bytes(COST, PGD, 100, PIXELS, "cuda") == PARAMETERS + 10_000 * 100


def test_some_attacks_refill_their_batches() -> None:
    assert refills_batches(PGD)
    assert not refills_batches({"_target_": "oodbench.attacks.square.Square"})
    assert not refills_batches({"name": "none"})


def test_the_memory_of_an_attack_bounds_it() -> None:
    attack = {**PGD, "memory": 0.5e4 / GIB}
    assert gradient_bytes(COST, attack, 16, PIXELS, "cpu") == PARAMETERS + 5_000
    assert gradient_bytes(COST, {**PGD, "memory": "auto"}, 16, PIXELS, "cpu") == PARAMETERS + 80_000
