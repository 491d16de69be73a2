"""Starts drawn in other threads are those drawn in this one."""

import threading
import time

import torch
from torch import Tensor

from oodbench.attacks.base import generator_of
from oodbench.attacks.starts import Starts

CPU = torch.device("cpu")


def uniform(generator: torch.Generator) -> Tensor:
    return torch.rand(3, 4, 4, generator=generator)


def expected(seed: int, draw: int) -> Tensor:
    """The draw with this number from the generator of a seed."""
    generator = generator_of(seed)
    for _ in range(draw):
        torch.rand(3, 4, 4, generator=generator)
    return torch.rand(3, 4, 4, generator=generator)


def test_each_image_draws_from_its_own_generator() -> None:
    for ahead in (False, True):
        starts = Starts(uniform, [generator_of(seed) for seed in range(5)], CPU, ahead=ahead)
        starts.begin([2, 0])
        assert torch.equal(starts.take([0, 1]), torch.stack([expected(0, 0), expected(1, 0)]))
        starts.begin([1, 1])
        assert torch.equal(starts.take([2, 1]), torch.stack([expected(2, 0), expected(1, 1)]))
        assert torch.equal(starts.take([1]), expected(1, 2)[None])


def test_the_order_of_the_threads_does_not_matter() -> None:
    def slowly(generator: torch.Generator) -> Tensor:
        time.sleep(0.02 * (generator.initial_seed() % 3))
        return uniform(generator)

    starts = Starts(slowly, [generator_of(seed) for seed in range(6)], CPU, ahead=True)
    starts.begin(range(6))
    order = [5, 3, 4, 0, 2, 1]
    assert torch.equal(starts.take(order), torch.stack([expected(seed, 0) for seed in order]))


def threads(*, ahead: bool | None) -> set[str]:
    names: set[str] = set()

    def draw(generator: torch.Generator) -> Tensor:
        names.add(threading.current_thread().name)
        return uniform(generator)

    Starts(draw, [generator_of(0)], CPU, ahead=ahead).take([0])
    return names


def test_no_thread_takes_a_core_from_a_network_on_the_cpu() -> None:
    here = threading.current_thread().name
    assert threads(ahead=None) == threads(ahead=False) == {here}
    assert threads(ahead=True).isdisjoint({here})
