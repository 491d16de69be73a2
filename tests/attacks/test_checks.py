import math

import pytest
import torch
from torch import Tensor

from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import check_not_negative, check_result
from oodbench.errors import AttackError, ConfigError


def result_of(images: Tensor) -> AttackResult:
    count = len(images)
    succeeded = torch.zeros(count, dtype=torch.bool)
    return AttackResult(images, succeeded, torch.zeros(count, dtype=torch.int64))


@pytest.fixture
def clean() -> Tensor:
    return torch.full((3, 3, 2, 2), 0.5)


def test_linf_is_the_largest_change(clean: Tensor) -> None:
    images = clean.clone()
    images[1, 2, 0, 1] = 0.25
    images[2, 0, 0, 0] = 0.625
    images[2, 1, 1, 1] = 0.4375
    linf = check_result(clean, result_of(images), eps=0.25)
    assert linf.dtype == torch.float32
    assert linf.tolist() == [0.0, 0.25, 0.125]


@pytest.mark.parametrize("sign", [1, -1])
def test_ball_violation_raises(clean: Tensor, sign: int) -> None:
    images = clean.clone()
    images[1, 0, 0, 0] += sign * (0.06 + 3e-6)
    with pytest.raises(AttackError, match=r"image 1 of .* batch of 3 .*attack\.eps=0\.06"):
        check_result(clean, result_of(images), eps=0.06)


def test_rounding_is_no_violation(clean: Tensor) -> None:
    images = clean + 0.06 + 5e-7
    assert check_result(clean, result_of(images), eps=0.06) == pytest.approx([0.06] * 3, abs=1e-6)


def test_without_eps_only_the_range_is_checked(clean: Tensor) -> None:
    assert check_result(clean, result_of(clean + 0.5), eps=None).tolist() == [0.5] * 3
    with pytest.raises(AttackError, match=r"outside \[0, 1\]"):
        check_result(clean, result_of(clean + 0.51), eps=None)


@pytest.mark.parametrize("value", [-1e-6, 1 + 1e-6])
def test_range_violation_raises(clean: Tensor, value: float) -> None:
    images = clean.clone()
    images[2, 0, 0, 0] = value
    with pytest.raises(AttackError, match=r"image 2 .* outside \[0, 1\]"):
        check_result(clean, result_of(images), eps=1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_finite_raises(clean: Tensor, value: float) -> None:
    images = clean.clone()
    images[0, 0, 0, 0] = value
    with pytest.raises(AttackError, match="not finite"):
        check_result(clean, result_of(images), eps=None)


def test_wrong_shape_names_both(clean: Tensor) -> None:
    with pytest.raises(AttackError, match=r"\(2, 3, 2, 2\), expected \(3, 3, 2, 2\)"):
        check_result(clean, result_of(clean[:2]), eps=None)


def test_empty_batch() -> None:
    empty = torch.zeros(0, 3, 2, 2)
    assert check_result(empty, result_of(empty), eps=0.1).shape == (0,)


@pytest.mark.parametrize("value", ["8/255", None, -0.1, math.nan, math.inf, True])
def test_no_number_of_at_least_zero(value: float) -> None:
    with pytest.raises(ConfigError, match=r"attack\.eps=.*frac:8,255"):
        check_not_negative("attack.eps", value)


def test_zero_and_integers_are_numbers() -> None:
    assert check_not_negative("attack.eps", 0) == 0.0
    assert check_not_negative("attack.eps", 1) == 1.0
