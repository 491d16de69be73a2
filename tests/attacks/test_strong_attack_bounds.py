"""Radius and pixel range of the strong attacks, on random settings and two networks."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attack_toys import CLASSES, conv_net, mlp, pictures, predictions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack
from oodbench.attacks.checks import check_result
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.attacks.transfer import Transfer
from oodbench.attacks.transfer_store import TransferStore
from oodbench.metrics.intervals import rate

COUNT = 6
BATCH = 100
"""On networks this small a batch takes as long as a picture."""

NETWORKS = {"conv_net": conv_net(torch.float32), "mlp": mlp(torch.float32)}


def transfer(folder: Path, eps: float, norm: str) -> Transfer:
    inner = {
        "_target_": "oodbench.attacks.apgd.APGD",
        "name": "inner",
        "eps": eps,
        "norm": norm,
        "iterations": 3,
    }
    attack = Transfer(name="transfer", source={"name": "conv"}, attack=inner)
    attack.connect(lambda: NETWORKS["conv_net"], TransferStore(folder))
    return attack


def library(eps: float, iterations: int, target: str) -> TorchAttack:
    arguments = {"eps": eps, "alpha": eps / 2, "steps": iterations}
    return TorchAttack(name="t", attack="PGD", eps=eps, arguments=arguments, target=target, top_k=2)


Make = Callable[[Path, float, int], Attack]
ATTACKS: dict[str, Make] = {
    "apgd_ce": lambda _, eps, n: APGD(name="a", eps=eps, iterations=n, micro_batch=BATCH),
    "apgd_t": lambda _, eps, n: APGD(
        name="a", eps=eps, loss="dlr_targeted", iterations=n, targets=2, micro_batch=BATCH
    ),
    "apgd_ce_l2": lambda _, eps, n: APGD(
        name="a", eps=5 * eps, norm="l2", iterations=n, micro_batch=BATCH
    ),
    "apgd_t_l2": lambda _, eps, n: APGD(
        name="a",
        eps=5 * eps,
        norm="l2",
        loss="dlr_targeted",
        iterations=n,
        targets=2,
        micro_batch=BATCH,
    ),
    "square": lambda _, eps, n: Square(name="s", eps=eps, queries=n, micro_batch=BATCH),
    "square_l2": lambda _, eps, n: Square(
        name="s", eps=5 * eps, norm="l2", queries=n, micro_batch=BATCH
    ),
    "autoattack": lambda _, eps, n: AutoAttack(
        name="aa", eps=eps, iterations=n, targets=2, queries=n, micro_batch=BATCH
    ),
    "autoattack_l2": lambda _, eps, n: AutoAttack(
        name="aa", eps=5 * eps, norm="l2", iterations=n, targets=2, queries=n, micro_batch=BATCH
    ),
    "torchattacks": lambda _, eps, n: library(eps, n, "least_likely"),
    "torchattacks_top_k": lambda _, eps, n: library(eps, n, "top_k"),
    "cw_l2": lambda _, eps, n: CarliniWagnerL2(
        name="c", c=10 * eps, iterations=n, micro_batch=BATCH
    ),
    "transfer": lambda folder, eps, n: transfer(folder, eps, "linf"),
    "transfer_l2": lambda folder, eps, n: transfer(folder, 5 * eps, "l2"),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ATTACKS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    eps=st.sampled_from([0.0, 1e-4, 0.01]) | st.floats(0, 0.2),
    iterations=st.integers(1, 6),
    seed=st.integers(0, 2**63 - 1),
)
def test_radius_and_range_hold(
    tmp_path: Path, network: str, name: str, eps: float, iterations: int, seed: int
) -> None:
    classifier = NETWORKS[network]
    images = pictures(COUNT, torch.float32)
    labels = predictions(classifier, images)
    labels[0] = (labels[0] + 1) % CLASSES
    attack = ATTACKS[name](tmp_path, eps, iterations)
    result = attack(classifier, images, labels, [seed + row for row in range(COUNT)])
    check_result(images, result, attack.eps, attack.norm)
    assert result.images.dtype == torch.float32
    assert result.succeeded.dtype == torch.bool
    assert result.iterations.dtype == torch.int64
    assert all(len(values) == COUNT for values in result.columns.values())
    if eps == 0 and attack.eps is not None:
        assert torch.equal(result.images, images)


BOUNDED = [name for name in ATTACKS if name != "cw_l2"]


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", BOUNDED)
def test_success_does_not_fall_when_eps_doubles(tmp_path: Path, network: str, name: str) -> None:
    classifier = NETWORKS[network]
    images = pictures(100, torch.float32)
    labels = predictions(classifier, images)
    found = []
    for eps in (0.005, 0.01, 0.02, 0.04):
        attack = ATTACKS[name](tmp_path / str(eps), eps, 5)
        result = attack(classifier, images, labels, list(range(100)))
        found.append(rate(result.succeeded.numpy()))
    for smaller, larger in zip(found, found[1:], strict=False):
        assert larger.high >= smaller.value
    assert found[-1].value >= found[0].value
