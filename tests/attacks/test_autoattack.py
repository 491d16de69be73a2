"""AutoAttack: order, survivors only, and no weaker than torchattacks' parts."""

import logging
from typing import Any

import pytest
import torch
import torchattacks
from attack_toys import CLASSES, SIDE, conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import ImageError, check_result
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.errors import ConfigError

COUNT = 20
SEEDS = list(range(50, 50 + COUNT))


def labelled() -> tuple[nn.Module, Tensor, Tensor]:
    """Every tenth picture is misclassified without an attack."""
    network, images = mlp(torch.float32), pictures(COUNT, torch.float32)
    labels = predictions(network, images)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return network, images, labels


class Scripted:
    """Succeeds at given seeds and remembers who came."""

    eps, norm, needs_gradients = 0.1, "linf", True

    def __init__(self, name: str, breaks: set[int], shade: float) -> None:
        self.name = name
        self.breaks = breaks
        self.shade = shade
        self.seen: list[list[int]] = []

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        self.seen.append(seeds)
        broken = torch.tensor([seed in self.breaks for seed in seeds])
        return AttackResult(torch.full_like(images, self.shade), broken, labels * 0 + 3)


def test_each_attack_sees_what_the_last_ones_left() -> None:
    network, images, labels = labelled()
    attack = AutoAttack(name="aa", eps=0.1)
    first = Scripted("one", {51, 52}, 0.1)
    second = Scripted("two", {53}, 0.2)
    third = Scripted("three", set(), 0.3)
    last = Scripted("four", {*SEEDS}, 0.4)
    attack.attacks = (first, second, third, last)
    found = attack(network, images, labels, SEEDS)
    right = [seed for row, seed in enumerate(SEEDS) if row % 10]
    assert first.seen == [right]
    assert second.seen == [[seed for seed in right if seed not in (51, 52)]]
    assert third.seen == last.seen == [[seed for seed in right if seed not in (51, 52, 53)]]
    expected = [0, 1, 1, 2, *[4] * 6, 0, *[4] * 9]
    assert found.columns["broken_by"].tolist() == expected
    assert found.images[:, 0, 0, 0][[1, 3, 5]].tolist() == pytest.approx([0.1, 0.2, 0.4])
    assert torch.equal(found.images[::10], images[::10])
    assert found.iterations[[0, 1, 3, 5]].tolist() == [0, 3, 6, 12]
    assert found.succeeded.all()


def test_nothing_is_attacked_when_all_is_broken() -> None:
    network, images, labels = labelled()
    attack = AutoAttack(name="aa", eps=0.1)
    first, second = Scripted("one", {*SEEDS}, 0.1), Scripted("two", set(), 0.2)
    attack.attacks = (first, second)
    attack(network, images, labels, SEEDS)
    assert second.seen == []


def test_a_broken_image_costs_no_further_forward_pass() -> None:
    network, images, labels = labelled()
    passed: list[int] = []
    network.register_forward_hook(lambda module, inputs, output: passed.append(len(inputs[0])))
    found = AutoAttack(name="aa", eps=0.2, iterations=20)(network, images, labels, SEEDS)
    assert set(found.columns["broken_by"].tolist()) == {0, 1}
    # All once; what is right again as start, then once an iteration.
    right = found.columns["broken_by"] == 1
    assert sum(passed) == COUNT + int(right.sum()) + int(found.iterations.sum())


def test_the_standard_four_in_their_order() -> None:
    ce, dlr, fab, square = AutoAttack(name="aa", eps=4 / 255).attacks
    assert isinstance(ce, APGD)
    assert isinstance(dlr, APGD)
    assert isinstance(fab, TorchAttack)
    assert isinstance(square, Square)
    assert [part.name for part in (ce, dlr, fab, square)] == [
        "apgd_ce",
        "apgd_t",
        "fab_t",
        "square",
    ]
    # fra31/auto-attack, version standard: 100 iterations, 9 targets, 5,000 queries, 1 restart.
    assert (ce.iterations, ce.restarts, ce.targeted) == (100, 1, False)
    assert (dlr.iterations, dlr.restarts, dlr.targeted, dlr.targets) == (100, 1, True, 9)
    assert square.queries == 5000
    assert {part.eps for part in (ce, dlr, fab, square)} == {4 / 255}
    assert {part.norm for part in AutoAttack(name="aa", norm="l2", eps=0.5).attacks} == {"l2"}


class Narrow(nn.Module):
    """Has memory for three images."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(torch.float32)
        self.failures = 0

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 3:
            self.failures += 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return torch.as_tensor(self.network(images))


def test_all_four_go_on_where_memory_runs_out() -> None:
    network, images, labels = labelled()
    attack = AutoAttack(name="aa", eps=0.004, iterations=4, targets=2, queries=5, micro_batch=8)
    plain = attack(network, images, labels, SEEDS)
    narrow = Narrow()
    found = attack(narrow, images, labels, SEEDS)
    assert narrow.failures == 2  # 8, 4; the parts share what the first has learnt
    assert torch.equal(found.succeeded, plain.succeeded)
    assert torch.equal(found.columns["broken_by"], plain.columns["broken_by"])
    assert (plain.columns["broken_by"] == -1).any()


def test_one_folded_copy_and_one_plan_for_all_four(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oodbench")
    network, images, labels = labelled()
    attack = AutoAttack(name="aa", eps=0.004, iterations=2, targets=2, queries=2, memory=4)
    attack(network, images, labels, SEEDS)
    assert caplog.text.count("attack.memory=4") == 1


@pytest.mark.slow
@pytest.mark.parametrize("make", [conv_net, mlp])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.004), ("linf", 0.01), ("l2", 0.1)])
def test_it_is_no_weaker_than_the_parts_of_torchattacks(make: Any, norm: str, eps: float) -> None:
    network = make(torch.float32)
    # A side at which the library's Square has no tiles beyond the picture.
    side = 15 if make is conv_net else SIDE
    images = nn.functional.interpolate(pictures(COUNT, torch.float32), size=side)
    labels = predictions(network, images)
    attack = AutoAttack(name="aa", norm=norm, eps=eps, iterations=20, targets=3, queries=50)
    found = attack(network, images, labels, SEEDS)
    check_result(images, found, eps, attack.norm)
    assert torch.equal(predictions(network, found.images) != labels, found.succeeded)
    radius = {"norm": {"linf": "Linf", "l2": "L2"}[norm], "eps": eps}
    parts = [
        torchattacks.APGD(network, steps=20, **radius),
        torchattacks.APGDT(network, steps=20, n_classes=4, **radius),
        torchattacks.FAB(network, steps=20, n_classes=4, multi_targeted=True, **radius),
    ]
    if side != SIDE or norm == "linf":
        parts.append(torchattacks.Square(network, n_queries=50, **radius))
    theirs = torch.zeros(COUNT, dtype=torch.bool)
    for part in parts:
        part.set_device("cpu")
        theirs |= predictions(network, part(images, labels)) != labels
    assert found.succeeded.sum() >= theirs.sum()
    assert (found.succeeded == theirs).float().mean() >= 0.9
    assert theirs.any()


class Cast(nn.Module):
    """Takes pictures of any type, computes in its own and gives the first logits in it."""

    def __init__(self, dtype: torch.dtype, classes: int = CLASSES) -> None:
        super().__init__()
        self.network = mlp(dtype)
        self.dtype = dtype
        self.classes = classes
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.network(images.to(self.dtype))[:, : self.classes])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision(norm: str, dtype: torch.dtype) -> None:
    eps = {"linf": 0.004, "l2": 0.06}[norm]
    attack = AutoAttack(name="aa", norm=norm, eps=eps, iterations=8, queries=20)
    images = pictures(COUNT, torch.float32)
    labels = predictions(Cast(torch.float32), images)
    expected = attack(Cast(torch.float32), images, labels, SEEDS)
    found = attack(Cast(dtype), images, labels, SEEDS)
    assert found.images.dtype == torch.float32
    assert 0 < expected.succeeded.sum() < COUNT
    agreement = (found.succeeded == expected.succeeded).float().mean()
    assert agreement >= (1 if dtype == torch.float64 else 0.8)
    if dtype == torch.float64:
        whole = attack(mlp(), images.double(), labels, SEEDS)
        check_result(images.double(), whole, eps, attack.norm)
        assert whole.images.dtype == torch.float64
        assert torch.equal(whole.succeeded, expected.succeeded)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 8])
def test_a_network_with_few_classes(
    classes: int, norm: str, caplog: pytest.LogCaptureFixture
) -> None:
    network, images = Cast(torch.float32, classes), pictures(COUNT, torch.float32)
    labels = predictions(network, images)
    eps = {"linf": 0.006, "l2": 0.1}[norm]
    attack = AutoAttack(name="aa", norm=norm, eps=eps, iterations=10, queries=20)
    found = attack(network, images, labels, SEEDS)
    check_result(images, found, eps, attack.norm)
    assert torch.equal(predictions(network, found.images) != labels, found.succeeded)
    theirs = torch.zeros(COUNT, dtype=torch.bool)
    radius = {"norm": {"linf": "Linf", "l2": "L2"}[norm], "eps": eps, "steps": 10}
    for part in (
        torchattacks.APGD(network, **radius),
        torchattacks.FAB(network, n_classes=classes, multi_targeted=True, **radius),
    ):
        part.set_device("cpu")
        theirs |= predictions(network, part(images, labels)) != labels
    assert theirs.any()
    assert (found.succeeded | ~theirs).all()
    assert ("it takes cross entropy" in caplog.text) == (classes < 4)


def test_classes_without_an_output_are_no_targets() -> None:
    class Lacking(Cast):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return torch.cat([logits, torch.full((len(images), 4), -torch.inf)], dim=1)

    images = pictures(COUNT, torch.float32)
    attack = AutoAttack(name="aa", eps=0.004, iterations=5, queries=5)
    for classes in (2, 5):
        labels = predictions(Lacking(torch.float32, classes), images)
        found = attack(Lacking(torch.float32, classes), images, labels, SEEDS)
        few = attack(Cast(torch.float32, classes), images, labels, SEEDS)
        assert torch.equal(found.columns["broken_by"], few.columns["broken_by"])


class NotANumber(nn.Module):
    """NaN once pictures are not grey."""

    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(1)[:, :5] * torch.tensor([5.0, 1, 1, 1, 1])
        changed = (images != 0.5).flatten(1).any(1)
        return torch.where(changed[:, None], torch.nan, logits)


def test_mistakes() -> None:
    images = torch.full((2, 3, SIDE, SIDE), 0.5)
    labels = torch.tensor([1, 0])  # the first one is wrong anyway
    with pytest.raises(ImageError, match=r"image 1 .*\(apgd_ce\) gives logits that are NaN"):
        AutoAttack(name="aa", eps=0.1)(NotANumber(), images, labels, [1, 2])
    with pytest.raises(ConfigError, match="the model has 1 class: there is no error to make"):
        AutoAttack(name="aa", eps=0.1)(Cast(torch.float32, 1), images, labels * 0, [1, 2])
    for wrong in ({"eps": 8}, {"norm": "l1"}, {"targets": 0}, {"queries": 0}, {"iterations": 0}):
        with pytest.raises(ConfigError, match=rf"attack\.{next(iter(wrong))}="):
            AutoAttack(**{"name": "aa", "eps": 0.1, **wrong})
