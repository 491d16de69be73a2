"""`first_error` and `zero_gradient` of the gradient loop, on a network with four grey levels."""

from typing import Any

import pytest
import torch
from attack_toys import conv_net, pictures
from torch import Tensor, nn

from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD

STEP = 0.1
"""Of the attacks on `Levels`, from a start at the clean image: all pixels move alike."""


class Levels(nn.Module):
    """Class 0, 1, 2, 3 by mean brightness (borders .25, .5, .75); flat below `flat_below`."""

    def __init__(self, flat_below: float = 0.0) -> None:
        super().__init__()
        self.flat_below = flat_below

    def forward(self, images: Tensor) -> Tensor:
        brightness = images.mean((1, 2, 3))[:, None]
        flat = brightness < self.flat_below
        brightness = torch.where(flat, brightness.detach(), brightness)
        centres = torch.tensor([0.125, 0.375, 0.625, 0.875], dtype=images.dtype)
        return -40 * (brightness - centres).square()


def attacked(network: nn.Module, brightness: list[float], label: int, **arguments: Any) -> Any:
    images = torch.tensor(brightness)[:, None, None, None].expand(-1, 3, 4, 4).clone()
    usual = {"eps": 1.0, "step_size": STEP, "iterations": 8, "random_start": False}
    attack = PGD(name="pgd", **usual | arguments)
    labels = torch.full((len(images),), label)
    return attack(network.eval(), images, labels, list(range(len(images))))


def test_the_first_error_on_the_way_to_a_target() -> None:
    # From 0.10 in steps of 0.1: class 1 at 0.3, class 3 at 0.8.
    found = attacked(Levels(), [0.1, 0.1], 0, target=3)
    assert found.succeeded.tolist() == [True, True]
    assert found.iterations.tolist() == [7, 7]
    assert found.columns["first_error"].tolist() == [2, 2]


def test_failures_too_have_a_first_error() -> None:
    found = attacked(Levels(), [0.1, 0.3, 0.1], 0, target=3, iterations=3)
    assert found.succeeded.tolist() == [False] * 3
    assert found.columns["first_error"].tolist() == [2, 0, 2]
    one = attacked(Levels(), [0.1, 0.2], 0, target=3, iterations=1)
    assert one.columns["first_error"].tolist() == [-1, 1]


def test_without_early_stop_the_first_error_comes_before_the_end() -> None:
    found = attacked(Levels(), [0.1, 0.2], 0, early_stop=False, iterations=5, target=3)
    assert found.iterations.tolist() == [5, 5]
    assert found.columns["first_error"].tolist() == [2, 1]


def test_iterations_are_counted_over_restarts() -> None:
    found = attacked(Levels(), [0.1], 0, target=3, iterations=1, restarts=3)
    assert (found.iterations.tolist(), found.columns["first_error"].tolist()) == ([3], [-1])


def test_the_first_error_of_an_untargeted_success_is_the_success() -> None:
    images = pictures()
    network = conv_net()
    labels = network(images).argmax(1)
    attack = PGD(name="pgd", eps=0.02, step_size=0.005, iterations=6)
    found = attack(network, images, labels, list(range(len(images))))
    first = found.columns["first_error"]
    assert 0 < found.succeeded.sum() < len(images)
    assert torch.equal(first[found.succeeded], found.iterations[found.succeeded])
    assert (first[~found.succeeded] == -1).all()


def test_the_published_attack_has_the_columns_too() -> None:
    images = pictures()
    labels = conv_net()(images).argmax(1)
    attack = TargetedPGD(eps=0.06, step_size=0.01, iterations=6)
    found = attack(conv_net(), images, labels, list(range(len(images))))
    first = found.columns["first_error"]
    assert (first[found.succeeded] <= found.iterations[found.succeeded]).all()
    assert (first[found.succeeded] >= 0).all()
    assert first.dtype == torch.int64
    assert found.columns["zero_gradient"].dtype == torch.bool


@pytest.mark.parametrize("micro_batch", [1, 2, 8])
def test_images_whose_gradient_is_zero_at_the_first_step(micro_batch: int) -> None:
    # Below 0.15 the network is flat; what begins above it and falls below later does not count.
    brightness = [0.1, 0.2, 0.05, 0.24, 0.3]
    found = attacked(Levels(flat_below=0.15), brightness, 0, micro_batch=micro_batch, target=3)
    assert found.columns["zero_gradient"].tolist() == [True, False, True, False, False]
    falling = attacked(Levels(flat_below=0.15), [0.2], 2, target=0, early_stop=False)
    assert falling.columns["zero_gradient"].tolist() == [False]


def test_an_image_that_is_not_attacked_has_no_zero_gradient() -> None:
    found = attacked(Levels(flat_below=0.15), [0.1], 2)
    assert (found.iterations.tolist(), found.columns["zero_gradient"].tolist()) == ([0], [False])
