"""How often an attack waits for the device: counted on the CPU, by what would wait on a GPU."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attack_toys import conv_net, pictures, predictions
from torch import Tensor
from waits import Waits

from oodbench.attacks.apgd import APGD
from oodbench.attacks.base import Attack
from oodbench.attacks.checks import ImageError
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.host import rows_at, to_device, to_host
from oodbench.attacks.network_access import MOST_ON_CUDA, Passes
from oodbench.attacks.pgd import PGD
from oodbench.attacks.square import Square
from oodbench.engines.settings import default_batch_size

CPU = torch.device("cpu")


def pgd(iterations: int, **more: Any) -> Attack:
    return PGD(name="p", eps=0.02, step_size=0.005, iterations=iterations, micro_batch=50, **more)


def apgd(iterations: int, **more: Any) -> Attack:
    return APGD(name="a", eps=0.001, iterations=iterations, micro_batch=50, **more)


def square(iterations: int, **more: Any) -> Attack:
    return Square(name="s", eps=1e-4, queries=iterations, micro_batch=50, **more)


def cw(iterations: int) -> Attack:
    return CarliniWagnerL2(name="c", iterations=iterations, micro_batch=50)


def waits(attack: Attack) -> list[str]:
    """Of a batch that goes through the network at once."""
    network, images = conv_net(), pictures(20)
    labels = predictions(network, images)
    with Waits() as seen:
        attack(network, images, labels, list(range(20)))
    return seen.names


def a_step(make: Callable[..., Attack], **more: Any) -> float:
    """How often one more step waits."""
    few, many = (len(waits(make(count, **more))) for count in (5, 25))
    return (many - few) / 20


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", ["none", "random", "top_k"])
def test_no_step_of_a_fixed_number_of_them_waits(norm: str, target: str) -> None:
    assert a_step(pgd, early_stop=False, norm=norm, target=target, top_k=2) == 0


def test_a_run_of_a_fixed_number_of_steps_waits_once() -> None:
    few, many = (len(waits(pgd(3, early_stop=False, restarts=runs))) for runs in (1, 5))
    assert 0 < many - few <= 4


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("make", [pgd, apgd])
def test_a_step_that_may_be_the_last_waits_once(make: Callable[..., Attack], norm: str) -> None:
    assert a_step(make, norm=norm) == 1


@pytest.mark.parametrize(("norm", "drawn"), [("linf", 2), ("l2", 5)])
def test_a_query_waits_once(norm: str, drawn: int) -> None:
    # Drawn on the CPU for each picture: the corner of a square, two and an orientation in l_2.
    assert a_step(square, norm=norm) == 1 + drawn * 20


def test_a_step_towards_the_smallest_change_waits_once() -> None:
    # For NaN; Adam counts its steps on the CPU.
    assert a_step(cw) == 1 + 1


def test_what_is_counted() -> None:
    values = torch.tensor([1.0, 2.0])
    looks: list[Callable[[], object]] = [
        lambda: bool(values.any()),
        lambda: float(values[0]),
        lambda: values[values > 1],
        lambda: values.nonzero(),
        lambda: values.tolist(),
        lambda: values.cpu(),
        lambda: values.numpy(),
        lambda: torch.equal(values, values),
        lambda: values.__setitem__(values > 3, 0.0),
    ]
    for look in looks:
        with Waits() as seen:
            look()
        assert len(seen.names) == 1, look
    with Waits() as seen:
        torch.where(values > 1, values, 0)[torch.tensor([1])].sum()
    assert seen.names == []


def test_columns_come_in_one_transfer() -> None:
    with Waits() as seen:
        assert to_host(torch.tensor([True, False]), torch.tensor([-1, 5])) == [[1, 0], [-1, 5]]
    assert seen.names == ["tolist"]


def test_all_places_are_no_copy() -> None:
    values = torch.arange(3)
    assert values[rows_at([0, 1, 2], 3, CPU)].data_ptr() == values.data_ptr()
    assert values[rows_at([0, 2], 3, CPU)].tolist() == [0, 2]
    assert values[rows_at([], 3, CPU)].tolist() == []
    assert torch.equal(to_device(values, CPU), values)


def test_the_batch_on_cuda_is_what_goes_through_at_most() -> None:
    assert default_batch_size("cuda:0", attack=True) >= MOST_ON_CUDA


class Marked(torch.nn.Module):
    """Two classes, by brightness; NaN for dark pictures."""

    def forward(self, images: Tensor) -> Tensor:
        level = images.mean((1, 2, 3))
        return torch.stack([level, -level], dim=1).masked_fill((level < 0.24)[:, None], torch.nan)


@pytest.mark.parametrize("micro_batch", [1, 2, 8])
@pytest.mark.parametrize("early_stop", [False, True])
def test_nan_is_of_the_image_and_the_step_that_had_it_first(
    early_stop: bool, micro_batch: int
) -> None:
    # All fall by 0.02 a step: the second is below 0.24 after 4 of them, the third after 3.
    images = torch.tensor([0.6, 0.31, 0.29])[:, None, None, None].expand(3, 3, 4, 4).clone()
    attack = PGD(
        name="p",
        eps=0.5,
        step_size=0.02,
        iterations=9,
        random_start=False,
        early_stop=early_stop,
        micro_batch=micro_batch,
    )
    first = "image 2 .* iteration 3" if micro_batch == 8 else "image 1 .* iteration 4"
    with pytest.raises(ImageError, match=first):
        attack(Marked(), images, torch.tensor([0, 0, 0]), [0, 1, 2])


def test_passes_look_at_no_logits() -> None:
    def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
        return logits.sum(1), [place % 2 == 0 for place in range(len(logits))]

    passes, images = Passes(conv_net(), 4), pictures(10)
    with Waits() as seen:
        passes.gradients(images, objective)
    assert seen.names == []
