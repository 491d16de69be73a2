"""Auto-PGD against torchattacks, which has the authors' code, from the same starts."""

from typing import Any

import pytest
import torch
import torchattacks
from attack_toys import CLASSES, SIDE, conv_net, fill_batches_up, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD, dlr_targeted
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import ImageError
from oodbench.attacks.libraries.randomness import PerImageRandomness
from oodbench.core.errors import ConfigError

COUNT = 30
SEEDS = list(range(7, 7 + COUNT))
NETWORKS = {"conv_net": conv_net, "mlp": mlp}


def labelled(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Every tenth picture is misclassified without an attack."""
    images = pictures(COUNT)
    labels = predictions(network, images)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return images, labels


def library(attack: Any, images: Tensor, labels: Tensor) -> Tensor:
    """The library's pictures, each alone with random numbers from its own seed."""
    attack.set_device("cpu")
    made = []
    for image, label, seed in zip(images, labels, SEEDS, strict=True):
        with PerImageRandomness([seed]):
            made.append(attack(image[None].clone(), label[None].clone()))
    return torch.cat(made)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("eps", [0.01, 0.02])
@pytest.mark.parametrize("loss", ["ce", "dlr_targeted"])
def test_linf_succeeds_where_the_authors_code_does(name: str, eps: float, loss: str) -> None:
    network = NETWORKS[name]()
    images, labels = labelled(network)
    ours = APGD(name="a", eps=eps, loss=loss, iterations=12, targets=3, restarts=2)
    found = ours(network, images, labels, SEEDS)
    theirs = (
        torchattacks.APGD(network, eps=eps, steps=12, n_restarts=2, loss="ce")
        if loss == "ce"
        else torchattacks.APGDT(network, eps=eps, steps=12, n_restarts=2, n_classes=4)
    )
    expected = library(theirs, images, labels)
    assert torch.equal(found.succeeded, predictions(network, expected) != labels)
    assert torch.equal(predictions(network, found.images) != labels, found.succeeded)
    assert 3 < found.succeeded.sum() <= COUNT


@pytest.mark.slow
@pytest.mark.parametrize("eps", [0.1, 0.2, 0.4])
def test_l2_succeeds_where_the_authors_code_does(eps: float) -> None:
    network = conv_net()
    images, labels = labelled(network)
    found = APGD(name="a", eps=eps, norm="l2", iterations=25)(network, images, labels, SEEDS)
    theirs = torchattacks.APGD(network, norm="L2", eps=eps, steps=25, loss="ce")
    expected = library(theirs, images, labels)
    assert torch.equal(found.succeeded, predictions(network, expected) != labels)
    lengths = (found.images - images).flatten(1).norm(dim=1)
    assert lengths.max() <= eps + 1e-9


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["ce", "dlr_targeted"])
def test_all_iterates_are_the_authors(norm: str, loss: str) -> None:
    """Of pictures that resist to the end, through all changes of the step size."""
    network = mlp()
    images, labels = labelled(network)
    eps = {"linf": 0.003, "l2": 0.05}[norm]
    ours = APGD(name="a", eps=eps, norm=norm, loss=loss, iterations=40, targets=1)
    library_norm = {"linf": "Linf", "l2": "L2"}[norm]
    arguments = {"norm": library_norm, "eps": eps, "steps": 40}
    theirs: Any = (
        torchattacks.APGD(network, loss="ce", **arguments)
        if loss == "ce"
        else torchattacks.APGDT(network, n_classes=2, **arguments)
    )
    theirs.set_device("cpu")
    passed: list[Tensor] = []
    # A copy: the library goes back to its best iterate in place.
    hook = network.register_forward_pre_hook(
        lambda module, inputs: passed.append(inputs[0].detach().clone())
    )
    compared = 0
    for row in range(0, COUNT, 3):
        one = slice(row, row + 1)
        passed.clear()
        found = ours(network, images[one], labels[one], [SEEDS[row]])
        if found.succeeded:
            continue
        iterates = passed[1:]  # without the clean one
        passed.clear()
        with PerImageRandomness([SEEDS[row]]):
            theirs(images[one], labels[one])
        expected = [picture for picture in passed if not torch.equal(picture, images[one])]
        assert len(iterates) == len(expected) == 41
        # The library brings an l_2 start to its length in float32, and the steps magnify that.
        atol = {"linf": 1e-8, "l2": 1e-5}[norm]
        torch.testing.assert_close(torch.cat(iterates), torch.cat(expected), atol=atol, rtol=0)
        compared += 1
    hook.remove()
    assert compared > 3


def test_failures_come_back_clean_and_successes_at_their_first_error() -> None:
    network = conv_net()
    images, labels = labelled(network)
    found = APGD(name="a", eps=0.02, iterations=25)(network, images, labels, SEEDS)
    assert torch.equal(found.images[~found.succeeded], images[~found.succeeded])
    assert torch.equal(found.images[::10], images[::10])
    assert found.iterations[::10].tolist() == [0] * 3
    assert found.columns["runs"][::10].tolist() == [0] * 3
    assert (found.iterations[~found.succeeded] == 25).all()
    losses = nn.functional.cross_entropy(network(found.images), labels, reduction="none")
    torch.testing.assert_close(found.columns["attack_loss"].double(), losses, atol=1e-5, rtol=0)


def test_later_runs_are_only_made_for_what_is_left() -> None:
    network = mlp()
    images, labels = labelled(network)
    one = APGD(name="a", eps=0.01, iterations=10)(network, images, labels, SEEDS)
    three = APGD(name="a", eps=0.01, iterations=10, restarts=3)(network, images, labels, SEEDS)
    assert (three.succeeded | ~one.succeeded).all()
    assert torch.equal(three.images[one.succeeded], one.images[one.succeeded])
    assert set(three.columns["runs"][~three.succeeded].tolist()) == {3}
    assert (three.iterations[~three.succeeded] == 30).all()


class Chance(nn.Module):
    """Is wrong at about every sixth start."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        signs = torch.randint(2, (3 * SIDE * SIDE, 1), generator=generator).double()
        self.direction = (2 * signs - 1) / scale

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.flatten(1)
        side = ((pixels - 0.5) @ self.direction).detach()
        others = pixels[:, :5] * torch.arange(1.0, 6.0)
        return torch.cat([torch.ones_like(side), side, others - 6], dim=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["ce", "dlr_targeted"])
@pytest.mark.parametrize("count", [1, 3, 7, COUNT])
@pytest.mark.parametrize("make", [Chance, mlp])
def test_runs_that_share_their_passes_are_those_that_follow_each_other(
    norm: str, loss: str, count: int, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The deviation of a start's side: that of uniform values, or of a point of a sphere.
    eps = {"linf": 0.01, "l2": 0.1}[norm]
    network = mlp() if make is mlp else Chance(eps * {"linf": 12.0, "l2": 1.0}[norm])
    images = pictures(COUNT) if make is mlp else torch.full((COUNT, 3, SIDE, SIDE), 0.5).double()
    labels = predictions(network, images)
    seen: list[int] = []

    def attacked(rows: Tensor) -> AttackResult:
        seen.clear()
        runs = {"restarts": 2, "targets": 4} if loss == "dlr_targeted" else {"restarts": 8}
        attack = APGD(
            name="a", norm=norm, eps=eps, loss=loss, iterations=4, micro_batch=256, **runs
        )
        return attack(network, images[rows], labels[rows], [SEEDS[row] for row in rows.tolist()])

    # Those that resist longest but not to the end, and after them all others.
    runs = attacked(torch.arange(COUNT)).columns["runs"]
    rows = torch.where(runs == 8, 0, runs).argsort(descending=True)[:count]
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    alone = attacked(rows)
    passes = len(seen)
    fill_batches_up(monkeypatch)
    found = attacked(rows)
    assert len(seen) <= passes
    assert set(seen) <= {4, 16, 32}
    torch.testing.assert_close(found.images, alone.images, atol=1e-12, rtol=0)
    assert torch.equal(found.succeeded, alone.succeeded)
    assert torch.equal(found.iterations, alone.iterations)
    torch.testing.assert_close(found.columns, alone.columns)
    if make is Chance and loss == "ce" and count < 8:
        assert 1 < alone.columns["runs"][0] < 8
        assert len(seen) < passes


@pytest.mark.parametrize("loss", ["ce", "dlr_targeted"])
def test_neither_batch_nor_its_order_matters(loss: str) -> None:
    network = conv_net()
    images, labels = labelled(network)
    attack = APGD(name="a", eps=0.02, loss=loss, iterations=15, targets=2)
    whole = attack(network, images, labels, SEEDS)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    small = APGD(name="a", eps=0.02, loss=loss, iterations=15, targets=2, micro_batch=3)
    turned = small(network, images[order], labels[order], [SEEDS[row] for row in order.tolist()])
    assert torch.equal(whole.succeeded[order], turned.succeeded)
    assert torch.equal(whole.iterations[order], turned.iterations)
    torch.testing.assert_close(whole.images[order], turned.images, atol=1e-9, rtol=0)


def test_a_wider_ball_is_never_worse_by_much() -> None:
    network = conv_net()
    images, labels = labelled(network)
    rates = [
        int(APGD(name="a", eps=eps, iterations=15)(network, images, labels, SEEDS).succeeded.sum())
        for eps in (0.0, 0.005, 0.01, 0.02, 0.04)
    ]
    assert rates[0] == 3  # those that are misclassified anyway
    assert rates == sorted(rates)


def test_no_radius_changes_nothing() -> None:
    network = conv_net(torch.float32)
    images, labels = labelled(conv_net())
    images = images.float()
    for norm in ("linf", "l2"):
        found = APGD(name="a", eps=0.0, norm=norm, iterations=3)(network, images, labels, SEEDS)
        assert torch.equal(found.images, images)


def test_dlr_by_hand() -> None:
    # (3 - 5) / (5 - (2 + 1) / 2) with the label first; scaling and shifting change nothing.
    logits = torch.tensor([[5.0, 3.0, 2.0, 1.0, -4.0]], dtype=torch.float64)
    label, target = torch.tensor([0]), torch.tensor([1])
    assert dlr_targeted(logits, label, target).item() == pytest.approx(-2 / 3.5)
    assert dlr_targeted(10 * logits + 3, label, target).item() == pytest.approx(-2 / 3.5)


class Few(nn.Module):
    """A network of three classes, or one that gives NaN."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(2).mean(2) * torch.tensor([self.value, 0.1, 0.1])


class Flat(nn.Module):
    """Its gradient is 0 for the first picture."""

    def forward(self, images: Tensor) -> Tensor:
        slope = torch.where(images[:, :1, :1, :1].detach() < 0.5, 0.0, 1.0)
        return (slope * images).flatten(2).mean(2) + torch.tensor([9.0, 1.0, 0.0])


def test_a_gradient_of_zero_is_recorded() -> None:
    images = torch.full((2, 3, SIDE, SIDE), 0.8)
    images[0] = 0.2
    found = APGD(name="a", eps=0.1, iterations=2)(
        Flat(), images, torch.zeros(2, dtype=torch.int64), [1, 2]
    )
    assert found.columns["zero_gradient"].tolist() == [True, False]
    assert found.columns["zero_gradient"].dtype == torch.bool


def test_mistakes() -> None:
    images = torch.full((2, 3, SIDE, SIDE), 0.5)
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ConfigError, match="needs 4 classes, the model has 3"):
        APGD(name="a", eps=0.1, loss="dlr_targeted")(Few(), images, labels, [1, 2])
    with pytest.raises(ImageError, match="image 0 .* NaN at iteration 0"):
        APGD(name="a", eps=0.1)(Few(torch.nan), images, labels, [1, 2])
    with pytest.raises(ImageError, match="outside"):
        APGD(name="a", eps=0.1)(Few(), images * 3, labels, [1, 2])
    for wrong in ({"loss": "dlr"}, {"eps": -1}, {"eps": 8}, {"norm": "l1"}, {"iterations": 0}):
        with pytest.raises(ConfigError, match=rf"attack\.{next(iter(wrong))}="):
            APGD(**{"name": "a", "eps": 0.1, **wrong})
