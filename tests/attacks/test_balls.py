"""The two balls against hand-worked values and known distributions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from oodbench.attacks.balls import L2Ball, LinfBall, ball
from oodbench.attacks.base import generator_of

SHAPE = torch.Size((3, 2, 2))


def one(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_directions() -> None:
    gradient = one([3.0, 0.0, -4.0])
    assert LinfBall(1).direction(gradient).flatten().tolist() == [1, 0, -1]
    assert L2Ball(1).direction(gradient).flatten().tolist() == pytest.approx([0.6, 0, -0.8])


def test_no_gradient_no_step() -> None:
    assert LinfBall(1).direction(one([0.0, 0.0])).flatten().tolist() == [0, 0]
    assert L2Ball(1).direction(one([0.0, 0.0])).flatten().tolist() == [0, 0]


def test_projections() -> None:
    offset = one([3.0, 0.5, -4.0])
    assert LinfBall(2).project(offset).flatten().tolist() == [2, 0.5, -2]
    expected = np.array([3, 0.5, -4]) * 2 / 25.25**0.5
    assert L2Ball(2).project(offset).flatten().tolist() == pytest.approx(expected.tolist())
    assert torch.equal(L2Ball(6).project(offset), offset)


def test_projection_is_per_image() -> None:
    offsets = torch.stack([torch.full(SHAPE, 1.0), torch.full(SHAPE, 0.001)])
    projected = L2Ball(0.5).project(offsets)
    assert projected[0].norm().item() == pytest.approx(0.5)
    assert torch.equal(projected[1], offsets[1])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_radius_zero_is_the_point(norm: str) -> None:
    point = ball("l2" if norm == "l2" else "linf", 0.0)
    assert (point.project(one([1.0, -1.0])) == 0).all()
    assert (point.draw(SHAPE, generator_of(1)) == 0).all()


@settings(max_examples=50, deadline=None)
@given(radius=st.floats(0, 50), scale=st.floats(1e-6, 10), seed=st.integers(0, 10**6))
def test_float32_projections_stay_within(radius: float, scale: float, seed: int) -> None:
    offsets = scale * torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    lengths = L2Ball(radius).project(offsets).double().flatten(1).norm(dim=1)
    assert (lengths <= radius + 1e-6).all()
    clamped = LinfBall(radius / 50).project(offsets).abs().double()
    assert (clamped <= radius / 50 + 1e-6).all()


def test_linf_draw_is_uniform() -> None:
    draws = torch.stack([LinfBall(0.2).draw(SHAPE, generator_of(seed)) for seed in range(400)])
    assert kstest(draws.flatten(), "uniform", args=(-0.2, 0.4)).pvalue > 1e-3


def test_l2_draw_is_uniform_in_the_ball() -> None:
    """The d-th power of the length is uniform, and each sign of each value equally likely."""
    draws = torch.stack([L2Ball(0.3).draw(SHAPE, generator_of(seed)) for seed in range(1000)])
    shares = (draws.flatten(1).norm(dim=1) / 0.3) ** 12
    assert kstest(shares, "uniform").pvalue > 1e-3
    assert ((draws > 0).double().mean(0) - 0.5).abs().max() < 0.06


def test_draws_depend_on_the_seed_alone() -> None:
    for norm in (LinfBall(1), L2Ball(1)):
        assert torch.equal(norm.draw(SHAPE, generator_of(5)), norm.draw(SHAPE, generator_of(5)))
        assert not torch.equal(norm.draw(SHAPE, generator_of(5)), norm.draw(SHAPE, generator_of(6)))
