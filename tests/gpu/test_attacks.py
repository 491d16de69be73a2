"""The attacks on CUDA: as on a CPU, with its random numbers, and without waiting for the device."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torchvision
from attack_toys import CLASSES, conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack, AttackResult
from oodbench.attacks.checks import check_result
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.network_access import default_micro_batch
from oodbench.attacks.pgd import FGSM, PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda")
CPU = torch.device("cpu")
EPS = {"linf": 0.02, "l2": 0.25}
COUNT = 100


@pytest.fixture(autouse=True)
def _as_engines_set_it() -> Iterator[None]:
    """Full precision and the same algorithms every time."""
    backend = torch.backends.cudnn
    with backend.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def attacks() -> dict[str, Callable[..., Attack]]:
    def pgd(norm: str, **more: Any) -> Attack:
        usual = {"eps": EPS[norm], "step_size": EPS[norm] / 4, "iterations": 6}
        return PGD(name="p", norm=norm, **usual | more)

    def apgd(norm: str, **more: Any) -> Attack:
        return APGD(name="a", norm=norm, eps=EPS[norm], **{"iterations": 8} | more)

    def square(norm: str, **more: Any) -> Attack:
        return Square(name="s", norm=norm, eps=2 * EPS[norm], **{"queries": 40} | more)

    def auto(norm: str, **more: Any) -> Attack:
        usual = {"iterations": 5, "targets": 3, "queries": 10}
        return AutoAttack(name="a", norm=norm, eps=EPS[norm], **usual | more)

    def library(**more: Any) -> Attack:
        arguments = {"eps": 0.02, "alpha": 0.005, "steps": 4}
        return TorchAttack(name="t", attack="PGD", eps=0.02, arguments=arguments, **more)

    return {
        "linf": lambda **more: pgd("linf", **more),
        "l2": lambda **more: pgd("l2", **more),
        "all_steps": lambda **more: pgd("linf", early_stop=False, **more),
        "restarts": lambda **more: pgd("l2", restarts=3, target="random", **more),
        "fgsm": lambda **more: FGSM(eps=0.02, **more),
        "published": lambda **more: TargetedPGD(eps=0.06, step_size=0.01, iterations=6, **more),
        "apgd": lambda **more: apgd("linf", **more),
        "apgd_t": lambda **more: apgd("l2", loss="dlr_targeted", targets=3, **more),
        "square": lambda **more: square("linf", **more),
        "square_l2": lambda **more: square("l2", **more),
        "cw": lambda **more: CarliniWagnerL2(name="c", iterations=6, learning_rate=0.05, **more),
        "autoattack": lambda **more: auto("linf", **more),
        "autoattack_l2": lambda **more: auto("l2", **more),
        "torchattacks": library,
    }


def attacked(
    attack: Attack, network: nn.Module, images: Tensor, device: torch.device
) -> AttackResult:
    """On a device; every tenth picture is misclassified without an attack."""
    labels = predictions(network.cpu(), images)
    labels[::10] = (labels[::10] + 1) % CLASSES
    seeds = list(range(len(images)))
    return attack(network.to(device), images.to(device), labels.to(device), seeds)


def assert_same_bytes(one: AttackResult, other: AttackResult) -> None:
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.succeeded, other.succeeded)
    assert torch.equal(one.iterations, other.iterations)
    for name, column in one.columns.items():
        assert torch.equal(column, other.columns[name])


@pytest.mark.parametrize("kind", attacks())
def test_as_many_are_fooled_as_on_the_cpu(kind: str) -> None:
    images = pictures(COUNT, torch.float32)
    attack = attacks()[kind]()
    found = attacked(attack, conv_net(torch.float32), images, DEVICE)
    assert found.images.device.type == found.succeeded.device.type == DEVICE.type
    assert all(column.device.type == DEVICE.type for column in found.columns.values())
    check_result(images.to(DEVICE), found, attack.eps, attack.norm)
    expected = attacked(attacks()[kind](), conv_net(torch.float32), images, CPU)
    assert abs(int(found.succeeded.sum()) - int(expected.succeeded.sum())) <= COUNT // 100
    assert expected.succeeded.any()


@pytest.mark.parametrize("kind", attacks())
def test_same_bytes_again(kind: str) -> None:
    network, images = conv_net(torch.float32), pictures(COUNT, torch.float32)
    one, other = (attacked(attacks()[kind](), network, images, DEVICE) for _ in range(2))
    assert_same_bytes(one, other)


@pytest.mark.parametrize("kind", ["apgd", "apgd_t", "square", "square_l2", "autoattack"])
def test_few_pictures_share_their_passes(kind: str) -> None:
    """They are attacked as on the CPU, where each pass is of one run or query."""
    network, images = conv_net(torch.float32), pictures(COUNT, torch.float32)
    labels = predictions(network, images)
    make = attacks()[kind]
    resisting = ~make()(network, images, labels, list(range(COUNT))).succeeded
    rows = torch.cat([resisting.nonzero().flatten()[:2], (~resisting).nonzero().flatten()[:1]])
    given = images[rows].to(DEVICE), labels[rows].to(DEVICE), rows.tolist()
    on_device = network.to(DEVICE)
    one, other = (make()(on_device, *given) for _ in range(2))
    assert_same_bytes(one, other)
    check_result(given[0], one, make().eps, make().norm)
    assert torch.equal(one.succeeded.cpu(), ~resisting[rows])


def starts(attack: Attack, device: torch.device, passes: list[int]) -> list[Tensor]:
    """What goes through the network at these passes, of which the clean pictures are the first."""
    network, seen = mlp(torch.float32), list[Tensor]()
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().cpu()))
    images = pictures(20, torch.float32)
    labels = predictions(mlp(torch.float32), images).to(device)
    attack(network.to(device), images.to(device), labels, list(range(20)))
    return [seen[number] for number in passes]


SMALL: dict[str, Any] = {"eps": 1e-4, "step_size": 1e-5, "micro_batch": 20}
STARTS: dict[str, tuple[Callable[[], Attack], list[int]]] = {
    "linf": (lambda: PGD(name="p", iterations=1, restarts=2, **SMALL), [1, 3]),
    "l2": (lambda: PGD(name="p", norm="l2", iterations=1, restarts=2, **SMALL), [1, 3]),
    "published": (lambda: TargetedPGD(iterations=1, **SMALL), [1]),
    "apgd": (lambda: APGD(name="a", eps=1e-4, iterations=1, restarts=2, micro_batch=20), [1, 3]),
    "apgd_l2": (lambda: APGD(name="a", norm="l2", eps=1e-4, iterations=1, micro_batch=20), [1]),
    "square": (lambda: Square(name="s", eps=1e-4, queries=1, micro_batch=20), [1]),
}


@pytest.mark.parametrize("kind", STARTS)
def test_starts_are_those_of_the_cpu_bit_for_bit(kind: str) -> None:
    make, passes = STARTS[kind]
    clean = pictures(20, torch.float32)
    here, there = (starts(make(), device, passes) for device in (CPU, DEVICE))
    for one, other in zip(here, there, strict=True):
        assert len(one) == 20
        assert not torch.equal(one, clean)
        assert torch.equal(one, other)


def waits(attack: Attack) -> int:
    """How often the host waits for the device while a batch goes through the network at once."""
    network, images = conv_net(torch.float32).to(DEVICE), pictures(20, torch.float32)
    labels = predictions(network, images.to(DEVICE))
    given = network, images.to(DEVICE), labels, list(range(20))
    attack(*given)  # cuDNN's first call, pinned memory
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            attack(*given)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing" in str(warning.message) for warning in seen)


def a_step(make: Callable[[int], Attack]) -> float:
    """How often one more step waits."""
    return (waits(make(25)) - waits(make(5))) / 20


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", ["none", "random"])
def test_no_step_of_a_fixed_number_of_them_waits(norm: str, target: str) -> None:
    def make(steps: int) -> Attack:
        fixed = {"norm": norm, "target": target, "early_stop": False, "iterations": steps}
        return PGD(name="p", eps=0.02, step_size=0.005, micro_batch=20, **fixed)

    assert a_step(make) == 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", ["pgd", "apgd", "square"])
def test_a_step_that_may_be_the_last_waits_once(kind: str, norm: str) -> None:
    usual: dict[str, Any] = {"name": "a", "norm": norm, "eps": 1e-5, "micro_batch": 20}
    makes: dict[str, Callable[[int], Attack]] = {
        "pgd": lambda steps: PGD(step_size=1e-6, iterations=steps, **usual),
        "apgd": lambda steps: APGD(iterations=steps, **usual),
        "square": lambda steps: Square(queries=steps, **usual),
    }
    assert a_step(makes[kind]) == 1


class Strict(nn.Module):
    """Refuses whatever waits for the device from its third forward pass to its eighth."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(torch.float32)
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        if self.passes in (3, 8):
            torch.cuda.set_sync_debug_mode("error" if self.passes == 3 else "default")
        return torch.as_tensor(self.network(images))


def test_nothing_waits_within_a_run() -> None:
    network, images = Strict(), pictures(20, torch.float32)
    fixed: dict[str, Any] = {"iterations": 10, "early_stop": False, "micro_batch": 20}
    attack = PGD(name="p", eps=0.02, step_size=0.005, **fixed)
    labels = predictions(mlp(torch.float32), images).to(DEVICE)
    try:
        attack(network.to(DEVICE), images.to(DEVICE), labels, list(range(20)))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert network.passes == 12  # the clean pictures, the starts and ten steps


class Narrow(nn.Module):
    """Runs out of the device's memory with more than three pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(torch.float32)
        self.widths: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 3:
            torch.empty(2**50, device=images.device)
        self.widths.append(len(images))
        return torch.as_tensor(self.network(images))


@pytest.mark.parametrize("kind", ["linf", "all_steps", "apgd", "square", "cw", "torchattacks"])
def test_no_picture_is_lost_where_memory_runs_out(kind: str) -> None:
    network, images = Narrow(), pictures(21, torch.float32)
    labels = predictions(mlp(torch.float32), images).to(DEVICE)
    given = images.to(DEVICE), labels, list(range(21))
    found = attacks()[kind](micro_batch=16)(network.to(DEVICE), *given)
    assert max(network.widths) <= 3
    expected = attacks()[kind](micro_batch=16)(mlp(torch.float32).to(DEVICE), *given)
    assert abs(int(found.succeeded.sum()) - int(expected.succeeded.sum())) <= 1


@pytest.mark.parametrize("kind", attacks())
def test_budgets_change_no_result(kind: str) -> None:
    network, images = conv_net(torch.float32), pictures(40, torch.float32)
    expected = int(attacked(attacks()[kind](), network, images, DEVICE).succeeded.sum())
    for budget in ("auto", 1e-9):  # 1e-9: one picture at a time, checkpointed
        found = attacked(attacks()[kind](memory=budget), network, images, DEVICE)
        assert abs(int(found.succeeded.sum()) - expected) <= 1


def test_as_many_at_once_as_are_useful() -> None:
    network, images = mlp(torch.float32), pictures(300, torch.float32)
    widths: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: widths.append(len(inputs[0])))
    attacked(attacks()["linf"](memory="auto"), network, images, DEVICE)
    widths.remove(300)  # the labels of this test
    assert max(widths) == default_micro_batch(DEVICE, planned=True)


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    """ResNet-50 with random weights, whose 3 x 3 max pooling overlaps."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = torchvision.models.resnet50(weights=None, num_classes=CLASSES)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", ["linf", "published", "apgd", "apgd_t"])
def test_a_deep_network(resnet: nn.Module, kind: str) -> None:
    images = nn.functional.interpolate(pictures(20, torch.float32), size=64, mode="bilinear")
    attack = attacks()[kind]()
    found = attacked(attack, resnet, images, DEVICE)
    check_result(images.to(DEVICE), found, attack.eps, attack.norm)
    assert_same_bytes(found, attacked(attacks()[kind](), resnet, images, DEVICE))
    expected = attacked(attacks()[kind](), resnet, images, CPU)
    assert abs(int(found.succeeded.sum()) - int(expected.succeeded.sum())) <= 1


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("kind", attacks())
def test_pictures_on_the_second_card(kind: str) -> None:
    network, images = conv_net(torch.float32), pictures(40, torch.float32)
    first, second = (
        attacked(attacks()[kind](), network, images, torch.device("cuda", index))
        for index in (0, 1)
    )
    assert second.images.device.index == 1
    assert abs(int(first.succeeded.sum()) - int(second.succeeded.sum())) <= 1
