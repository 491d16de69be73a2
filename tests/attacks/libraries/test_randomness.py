from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from oodbench.attacks.base import generator_of
from oodbench.attacks.libraries.randomness import PerImageRandomness, SharedDrawError
from oodbench.core.errors import AttackError

SEEDS = [11, 22, 33, 44]
SHAPE = (4, 3, 5, 2)

DRAWS: dict[str, Callable[[int], Tensor]] = {
    "uniform_": lambda n: torch.empty(n, 3, 5, 2).uniform_(-2, 3),
    "normal_": lambda n: torch.empty(n, 3, 5, 2).normal_(1, 2),
    "random_": lambda n: torch.empty(n, 3, 5, 2).random_(3, 9),
    "rand": lambda n: torch.rand(n, 3, 5, 2),
    "rand_list": lambda n: torch.rand([n, 3, 5, 2], dtype=torch.float64),
    "rand_size": lambda n: torch.rand(size=(n, 3, 5, 2)),
    "randn": lambda n: torch.randn((n, 3, 5, 2)),
    "randint": lambda n: torch.randint(7, (n,)),
    "randint_low": lambda n: torch.randint(3, 7, (n, 6), dtype=torch.int32),
    "randint_keys": lambda n: torch.randint(low=3, high=7, size=(n, 6)),
    "randint_key": lambda n: torch.randint(3, high=7, size=(n, 6)),
    "rand_like": lambda n: torch.rand_like(torch.zeros(n, 3, 5, 2)),
    "randn_like": lambda n: torch.randn_like(torch.zeros(n, 3, 5, 2, dtype=torch.float64)),
    "randint_like": lambda n: torch.randint_like(torch.zeros(n, 6), 3, 7),
    "generator": lambda n: torch.rand(n, 4, generator=torch.Generator().manual_seed(0)),
    "own_generator_": lambda n: torch.empty(n, 4).normal_(generator=torch.Generator()),
    "channels_last": lambda n: torch.rand_like(
        torch.zeros(n, 3, 5, 2).to(memory_format=torch.channels_last)
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_rows_are_those_of_a_batch_of_one(name: str) -> None:
    draw = DRAWS[name]
    with PerImageRandomness(SEEDS):
        batch = [draw(4), draw(4)]
    for position, seed in enumerate(SEEDS):
        torch.manual_seed(position)
        with PerImageRandomness([seed]):
            single = [draw(1), draw(1)]
        for many, one in zip(batch, single, strict=True):
            assert many.dtype == one.dtype
            assert torch.equal(many[position], one[0])
    assert not torch.equal(batch[0], batch[1])
    assert any(not torch.equal(row, batch[0][0]) for row in batch[0])


def test_rows_come_from_the_images_generators() -> None:
    with PerImageRandomness(SEEDS):
        drawn = torch.empty(SHAPE).uniform_(-2, 3)
        normal = torch.randn(SHAPE)
    for position, seed in enumerate(SEEDS):
        generator = generator_of(seed)
        assert torch.equal(
            drawn[position], torch.empty(SHAPE[1:]).uniform_(-2, 3, generator=generator)
        )
        assert torch.equal(normal[position], torch.randn(SHAPE[1:], generator=generator))


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("rand", ("uniform", (0, 1))),
        ("randn", ("norm", (0, 1))),
        ("uniform_", ("uniform", (-2, 5))),
        ("normal_", ("norm", (1, 2))),
    ],
)
def test_distributions_are_unchanged(name: str, distribution: tuple[str, tuple[int, int]]) -> None:
    with PerImageRandomness(list(range(200))):
        drawn = DRAWS[name](200)
    assert kstest(drawn.flatten().numpy(), distribution[0], args=distribution[1]).pvalue > 1e-3


@pytest.mark.parametrize("name", ["randint_low", "randint_keys", "randint_key", "randint_like"])
def test_integers_keep_their_bounds(name: str) -> None:
    with PerImageRandomness(list(range(100))):
        drawn = DRAWS[name](100)
    assert torch.bincount(drawn.long().flatten(), minlength=7)[:3].sum() == 0
    assert sorted(set(drawn.long().flatten().tolist())) == [3, 4, 5, 6]


def test_in_place_returns_the_tensor_itself() -> None:
    tensor = torch.zeros(SHAPE)
    with PerImageRandomness(SEEDS):
        assert tensor.uniform_() is tensor
    assert tensor.abs().sum() > 0


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: torch.rand([1]), r"rand of shape \(1,\)"),
        (lambda: torch.rand(()), "rand of shape"),
        (lambda: torch.rand(3, 3, 5, 2), "rand of shape"),
        (lambda: torch.randint(0, 5, (1,)), "randint of shape"),
        (lambda: torch.empty(4, 1, 1).normal_(), r"normal_ of shape \(4, 1, 1\)"),
        (lambda: torch.zeros(SHAPE).bernoulli_(), "bernoulli_"),
        (lambda: torch.normal(torch.zeros(SHAPE), 1.0), "normal"),
        (lambda: torch.randperm(4), "randperm"),
    ],
)
def test_shared_draws_are_refused_in_a_batch(draw: Callable[[], Tensor], name: str) -> None:
    with (
        pytest.raises(SharedDrawError, match=rf"{name}.*the 4 images: set engine\.batch_size=1"),
        PerImageRandomness(SEEDS),
    ):
        draw()
    assert issubclass(SharedDrawError, AttackError)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.rand([3]),
        lambda: torch.randint(0, 50, (7,)),
        lambda: torch.zeros(9, 2).bernoulli_(),
        lambda: torch.randperm(20),
        lambda: torch.from_numpy(np.random.uniform(size=5)),
    ],
)
def test_any_draw_of_one_image_depends_on_its_seed_alone(draw: Callable[[], Tensor]) -> None:
    def drawn(seed: int, noise: int) -> Tensor:
        torch.manual_seed(noise)
        np.random.seed(noise)
        with PerImageRandomness([seed]):
            return draw()

    assert torch.equal(drawn(2**63 - 1, 0), drawn(2**63 - 1, 1))
    assert not torch.equal(drawn(2**63 - 1, 0), drawn(5, 0))


def test_numpy_is_refused_in_a_batch() -> None:
    with pytest.raises(SharedDrawError, match="NumPy"), PerImageRandomness(SEEDS):
        np.random.normal()


@pytest.mark.parametrize("seeds", [SEEDS, [1]])
def test_global_generators_are_restored(seeds: list[int]) -> None:
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    with PerImageRandomness(seeds):
        torch.manual_seed(123)
        torch.rand(len(seeds), 2)
    with pytest.raises(ZeroDivisionError):
        _draw_and_fail(seeds)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], before[1])


def _draw_and_fail(seeds: list[int]) -> None:
    with PerImageRandomness(seeds):
        np.random.normal()
        torch.rand(len(seeds), 2)
        raise ZeroDivisionError


def test_over_when_left() -> None:
    with PerImageRandomness(SEEDS):
        pass
    torch.manual_seed(0)
    first = torch.rand(SHAPE)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(SHAPE), first)


def test_arithmetic_is_left_alone() -> None:
    with PerImageRandomness(SEEDS):
        values = torch.arange(4.0, requires_grad=True)
        (values**2).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 2, 4, 6]


def test_the_generators_of_all_cards_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures may be on another one than the current."""
    saved: list[int] = []

    @contextmanager
    def fork(devices: list[int]) -> Iterator[None]:
        saved.extend(devices)
        yield

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.random, "fork_rng", fork)
    with PerImageRandomness([1, 2]):
        pass
    assert saved == [0, 1, 2]
