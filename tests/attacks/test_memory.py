"""Micro-batches that fit, and what happens where memory runs out all the same."""

import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attack_toys import CLASSES, conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks import network_access
from oodbench.attacks.apgd import APGD
from oodbench.attacks.base import Attack, AttackResult
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.memory import (
    MemoryPlan,
    Planner,
    check_memory,
    halved,
    kept_bytes,
    own_bytes,
)
from oodbench.attacks.network_access import Passes
from oodbench.attacks.pgd import FGSM, PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.errors import AttackError, ConfigError
from oodbench.core.files import GIB
from oodbench.models import device_memory
from oodbench.models.device_memory import is_out_of_memory

CPU = torch.device("cpu")
MEBIBYTE = 2**20


class Narrow(nn.Module):
    """Has memory for a number of images only, in the forward or the backward pass."""

    def __init__(self, network: nn.Module, width: int, error: Exception, *, backward: bool) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.error = error
        self.backward = backward
        self.failures = 0
        self.widest = 0

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.width and not self.backward:
            self._fail()
        logits = torch.as_tensor(self.network(images))
        if logits.requires_grad:
            logits.register_hook(self._check)
        return logits

    def _check(self, gradients: Tensor) -> None:
        if len(gradients) > self.width:
            self._fail()
        self.widest = max(self.widest, len(gradients))

    def _fail(self) -> None:
        self.failures += 1
        raise self.error


ERRORS = [
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: out of memory"),
]


def attacks() -> dict[str, Callable[..., Attack]]:
    def linf(**more: Any) -> Attack:
        return PGD(name="a", eps=0.03, step_size=0.01, iterations=5, restarts=2, **more)

    def all_steps(**more: Any) -> Attack:
        return PGD(name="a", eps=0.03, step_size=0.01, iterations=4, early_stop=False, **more)

    def l2(**more: Any) -> Attack:
        return PGD(name="a", eps=0.5, step_size=0.2, iterations=5, norm="l2", **more)

    def fgsm(**more: Any) -> Attack:
        return FGSM(eps=0.03, **more)

    def targeted(**more: Any) -> Attack:
        return TargetedPGD(eps=0.05, step_size=0.01, iterations=6, **more)

    def apgd(**more: Any) -> Attack:
        return APGD(name="a", eps=0.01, iterations=6, restarts=2, **more)

    def apgd_t(**more: Any) -> Attack:
        return APGD(
            name="a", eps=0.1, norm="l2", loss="dlr_targeted", iterations=5, targets=2, **more
        )

    def square(**more: Any) -> Attack:
        return Square(name="s", eps=0.03, queries=12, **more)

    def square_l2(**more: Any) -> Attack:
        return Square(name="s", eps=0.5, norm="l2", queries=12, **more)

    def cw(**more: Any) -> Attack:
        return CarliniWagnerL2(name="c", iterations=6, learning_rate=0.05, **more)

    def library(**more: Any) -> Attack:
        arguments = {"eps": 0.02, "alpha": 0.01, "steps": 3}
        return TorchAttack(
            name="t", attack="PGD", eps=0.02, arguments=arguments, target="top_k", top_k=2, **more
        )

    return {
        **{"linf": linf, "all_steps": all_steps, "l2": l2, "fgsm": fgsm, "targeted": targeted},
        **{"apgd": apgd, "apgd_t": apgd_t, "square": square, "square_l2": square_l2, "cw": cw},
        "library": library,
    }


def run(attack: Attack, network: nn.Module, images: Tensor, labels: Tensor) -> AttackResult:
    return attack(network, images, labels, list(range(len(images))))


def assert_same(one: AttackResult, other: AttackResult) -> None:
    torch.testing.assert_close(one.images, other.images, rtol=0, atol=1e-9)
    assert torch.equal(one.succeeded, other.succeeded)
    assert torch.equal(one.iterations, other.iterations)
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        torch.testing.assert_close(column, other.columns[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "backward"),
    [
        (kind, backward)
        for kind, make in attacks().items()
        for backward in ((False, True) if make().needs_gradients else (False,))
    ],
)
def test_no_picture_is_lost_where_memory_runs_out(kind: str, backward: bool) -> None:
    make, network = attacks()[kind], mlp()
    images = pictures(21)
    labels = predictions(network, images)
    labels[::5] = (labels[::5] + 1) % CLASSES
    narrow = Narrow(mlp(), 3, ERRORS[0], backward=backward)
    found = run(make(micro_batch=16), narrow, images, labels)
    assert narrow.failures > 0
    assert narrow.widest <= 3
    assert_same(found, run(make(micro_batch=16), network, images, labels))


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_every_allocator_is_understood(error: Exception) -> None:
    images = pictures(9)
    narrow = Narrow(mlp(), 2, error, backward=True)
    found = run(attacks()["linf"](), narrow, images, predictions(mlp(), images))
    assert narrow.failures > 0
    assert len(found.images) == 9


def test_later_batches_begin_with_what_fitted() -> None:
    images = pictures(16)
    labels = predictions(mlp(), images)
    narrow = Narrow(mlp(), 4, ERRORS[0], backward=False)
    attack = attacks()["all_steps"](micro_batch=16)
    run(attack, narrow, images, labels)
    before = narrow.failures
    run(attack, narrow, images, labels)
    assert before == 2  # 16, 8
    assert narrow.failures == before


def test_one_image_that_does_not_fit_is_an_error_with_a_way_out() -> None:
    images = pictures(3)
    narrow = Narrow(mlp(), 0, ERRORS[0], backward=True)
    with pytest.raises(AttackError, match=r"one image.*can't allocate.*attack\.memory=auto"):
        run(attacks()["linf"](), narrow, images, predictions(mlp(), images))


class Wasteful(nn.Module):
    """Runs out of memory with more than two images, in what handles another error."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp()
        self.held: list[weakref.ref[Tensor]] = []

    def alive(self) -> int:
        return sum(activation() is not None for activation in self.held)

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.as_tensor(self.network(images))
        if len(images) > 2:
            self._fail(logits * 2)
        return logits

    def _fail(self, activation: Tensor) -> None:
        self.held.append(weakref.ref(activation))
        try:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED")
        except RuntimeError:
            raise MemoryError from None


def test_a_failed_pass_leaves_nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all of it is given back to the device before the next try."""
    network, alive = Wasteful(), list[int]()
    monkeypatch.setattr(network_access, "release", lambda device: alive.append(network.alive()))
    Passes(network, 8).logits(pictures(8))
    assert len(network.held) == 2  # of 8 and of 4 images
    assert alive == [0, 0]


def test_other_errors_pass() -> None:
    narrow = Narrow(mlp(), 2, RuntimeError("shapes do not match"), backward=True)
    images = pictures(9)
    with pytest.raises(RuntimeError, match="shapes"):
        run(attacks()["linf"](), narrow, images, predictions(mlp(), images))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_halving(caplog: pytest.LogCaptureFixture) -> None:
    assert [halved(count, MemoryError()) for count in (8, 7, 2)] == [4, 3, 1]
    assert "out of memory with 8 images, going on with half: MemoryError" in caplog.text


@pytest.mark.parametrize("kind", list(attacks()))
def test_a_budget_changes_no_result(kind: str) -> None:
    make, images = attacks()[kind], pictures(12)
    labels = predictions(conv_net(), images)
    plain = run(make(), conv_net(), images, labels)
    assert_same(run(make(memory="auto"), conv_net(), images, labels), plain)
    assert_same(run(make(memory=1e-9), conv_net(), images, labels), plain)


def planned(
    budget: float, plain: int, frugal: int, micro_batch: int = 8, **more: Any
) -> tuple[MemoryPlan, list[bool]]:
    """The plan where a step of one image takes this many bytes, and which steps were measured."""
    network = conv_net()
    measured: list[bool] = []

    def measure(step: Callable[[], object], device: torch.device) -> int:
        measured.append("forward" in vars(network.bn1))
        step()
        return frugal if measured[-1] else plain

    planner = Planner(budget, measure=measure)
    plan = planner.of(network, pictures(5), micro_batch)
    assert planner.of(network, pictures(7), micro_batch) is plan
    assert "forward" not in vars(network.bn1)
    return plan, measured


def test_a_micro_batch_that_fits() -> None:
    # Nine tenths of 1 GiB are planned with.
    assert planned(1, GIB // 10, 1) == (MemoryPlan(8, frugal=False), [False])
    assert planned(1, GIB // 5, 1) == (MemoryPlan(4, frugal=False), [False])
    assert planned(1, GIB // 5, 1, micro_batch=3)[0].micro_batch == 3
    assert planned(1, GIB // 2, 1) == (MemoryPlan(1, frugal=False), [False])


def test_checkpointing_where_one_image_does_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oodbench")
    assert planned(1, 2 * GIB, GIB // 4) == (MemoryPlan(3, frugal=True), [False, True])
    assert (
        "attack.memory=1, 1.00 GiB for activations: a step of one image takes 0.25 GiB"
        in caplog.text
    )
    assert "micro-batch 3 of at most 8, checkpointing on: an image takes 2.00 GiB" in caplog.text
    assert "going on" not in caplog.text


def test_a_step_that_cannot_fit_is_not_tried(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oodbench")
    plan, measured = planned(1e-6, 10, 2000)
    assert measured == [True]
    assert plan == MemoryPlan(1, frugal=True)
    assert "of activations without" in caplog.text
    assert "even with checkpointing; going on with one at a time" in caplog.text


def test_a_budget_above_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oodbench")
    network = conv_net()

    def measure(step: Callable[[], object], device: torch.device) -> int:
        if "forward" not in vars(network.bn1):
            raise ERRORS[0]
        return GIB

    plan = Planner(50, measure=measure).of(network, pictures(2), 8)
    assert plan == MemoryPlan(8, frugal=True)
    assert "an image runs out of memory without" in caplog.text


def test_no_memory_for_one_image_by_any_means() -> None:
    def measure(step: Callable[[], object], device: torch.device) -> int:
        raise ERRORS[1]

    with pytest.raises(AttackError, match=r"attack\.memory=5: .* even with checkpointing"):
        Planner(5, measure=measure).of(conv_net(), pictures(2), 8)


def test_what_is_taken_already_counts() -> None:
    images = pictures(4)
    plain = Planner(1, measure=lambda step, device: GIB // 10)
    assert plain.of(conv_net(), images, 8, GIB // 2).micro_batch == 4
    free = Planner("auto", measure=lambda step, device: 1)
    assert free.of(conv_net(), images, 8, 2**60).micro_batch == 8


def test_own_bytes() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 5))
    other = nn.Sequential(network[0], nn.Linear(2, 5))
    assert own_bytes(network, network) == 0
    assert own_bytes(other, network) == 4 * (2 * 5 + 5)


def test_another_size_is_measured_again() -> None:
    network = conv_net()
    answers = iter([GIB // 4, GIB // 2])
    planner = Planner(1, measure=lambda step, device: next(answers))
    assert planner.of(network, pictures(2), 4).micro_batch == 3
    assert planner.of(network, pictures(2)[..., :8], 4).micro_batch == 1
    assert planner.of(network, pictures(2), 4).micro_batch == 3


def test_kept_bytes_of_a_known_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Sigmoid(), nn.Conv2d(5, 2, 1), nn.Tanh())
    network.requires_grad_(False)
    # Float32 10 x 10: the input, the sigmoid's output (kept twice, counted once), the tanh's.
    assert kept_bytes(network, torch.rand(2, 3, 10, 10)) == 4 * 2 * 100 * (3 + 5 + 2)


@pytest.mark.parametrize("value", [None, "auto", 3, 2.5])
def test_values(value: Any) -> None:
    assert check_memory(value) == value


@pytest.mark.parametrize("value", [0, -1, True, "3", "most", float("nan")])
def test_refused_values(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"attack\.memory=.*must be null, auto or GiB"):
        check_memory(value)


def test_where_memory_cannot_be_measured(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_memory, "_STATUS", tmp_path / "missing")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check_memory(None) is None
    with pytest.raises(ConfigError, match=r"attack\.micro_batch"):
        check_memory("auto")
