"""Carlini & Wagner's l_2 attack against a plain loop and torchattacks."""

import pytest
import torch
import torchattacks
from attack_toys import CLASSES, SIDE, conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.checks import ImageError
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.core.errors import ConfigError

COUNT = 16
SEEDS = list(range(COUNT))


def labelled(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Every eighth picture is misclassified without an attack."""
    images = pictures(COUNT)
    labels = predictions(network, images)
    labels[::8] = (labels[::8] + 1) % CLASSES
    return images, labels


def by_hand(network: nn.Module, image: Tensor, label: int, steps: int) -> Tensor | None:
    """Adam of Kingma & Ba, written out, on one picture; its nearest error."""
    variable = torch.atanh((2 * image - 1) * 0.999999)
    first, second = torch.zeros_like(image), torch.zeros_like(image)
    nearest, shortest = None, float("inf")
    for step in range(1, steps + 1):
        variable.requires_grad_()
        iterate = torch.tanh(variable) / 2 + 0.5
        logits = network(iterate[None])[0]
        other = max(logits[k] for k in range(CLASSES) if k != label)
        cost = ((iterate - image) ** 2).sum() + 2.0 * max(logits[label] - other, torch.tensor(-0.1))
        length = float((iterate - image).detach().norm())
        if int(logits.argmax()) != label and length < shortest:
            nearest, shortest = iterate.detach(), length
        (gradient,) = torch.autograd.grad(cost, variable)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        change = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        variable = (variable - 0.02 * change).detach()
    return nearest


@pytest.mark.parametrize("make", [conv_net, mlp])
def test_it_is_the_plain_loop(make: type[nn.Module]) -> None:
    network = make()
    images, labels = labelled(network)
    attack = CarliniWagnerL2(name="c", c=2.0, kappa=0.1, iterations=20, learning_rate=0.02)
    found = attack(network, images, labels, SEEDS)
    for row in (1, 2, 3, 5, 9):
        expected = by_hand(network, images[row], int(labels[row]), 20)
        assert bool(found.succeeded[row]) == (expected is not None)
        wanted = images[row] if expected is None else expected
        torch.testing.assert_close(found.images[row], wanted, atol=1e-8, rtol=0)
    assert found.iterations[::8].tolist() == [0, 0]
    assert torch.equal(found.images[::8], images[::8])
    assert found.succeeded[::8].all()


@pytest.mark.parametrize("make", [conv_net, mlp])
def test_it_is_no_weaker_than_torchattacks(make: type[nn.Module]) -> None:
    network = make()
    images, labels = labelled(network)
    found = CarliniWagnerL2(name="c")(network, images, labels, SEEDS)
    theirs = torchattacks.CW(network)
    theirs.set_device("cpu")
    expected = theirs(images, labels)
    fooled = predictions(network, expected) != labels
    assert (found.succeeded | ~fooled).all()
    both = fooled & found.succeeded
    ours = (found.images - images).flatten(1).norm(dim=1)[both]
    assert ours.median() <= (expected - images).flatten(1).norm(dim=1)[both].median() + 1e-4


def test_the_batch_does_not_matter() -> None:
    network = conv_net()
    images, labels = labelled(network)
    whole = CarliniWagnerL2(name="c", iterations=10)(network, images, labels, SEEDS)
    small = CarliniWagnerL2(name="c", iterations=10, micro_batch=3)
    parts = small(network, images.flip(0), labels.flip(0), SEEDS)
    torch.testing.assert_close(whole.images.flip(0), parts.images, atol=1e-9, rtol=0)
    assert torch.equal(whole.iterations.flip(0), parts.iterations)


class NotANumber(nn.Module):
    """NaN for the second picture of a batch."""

    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(2).mean(2).clone()
        logits[1:2] = torch.nan
        return logits


def test_mistakes() -> None:
    images = torch.full((2, 3, SIDE, SIDE), 0.5)
    with pytest.raises(ImageError, match="image 1 .* NaN"):
        CarliniWagnerL2(name="c")(NotANumber(), images, torch.zeros(2, dtype=torch.int64), [1, 2])
    for wrong in ({"c": -1}, {"kappa": -1}, {"iterations": 0}, {"learning_rate": 0}):
        with pytest.raises(ConfigError, match=rf"attack\.{next(iter(wrong))}="):
            CarliniWagnerL2(name="c", **wrong)
