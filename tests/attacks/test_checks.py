import math

import pytest
import torch
from torch import Tensor

from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import (
    ImageError,
    check_count,
    check_eps,
    check_norm,
    check_not_negative,
    check_range,
    check_result,
)
from oodbench.core.errors import AttackError, ConfigError


def result_of(images: Tensor) -> AttackResult:
    count = len(images)
    succeeded = torch.zeros(count, dtype=torch.bool)
    return AttackResult(images, succeeded, torch.zeros(count, dtype=torch.int64))


@pytest.fixture
def clean() -> Tensor:
    return torch.full((3, 3, 2, 2), 0.5)


def test_distances(clean: Tensor) -> None:
    images = clean.clone()
    images[1, 2, 0, 1] = 0.25
    images[2, 0, 0, 0] = 0.5 + 0.1875
    images[2, 1, 1, 1] = 0.5 - 0.25
    found = check_result(clean, result_of(images), eps=0.25)
    assert found.linf.dtype == found.l2.dtype == torch.float32
    assert found.linf.tolist() == [0.0, 0.25, 0.25]
    assert found.l2.tolist() == [0.0, 0.25, 0.3125]  # 3-4-5


def test_l2_ball(clean: Tensor) -> None:
    images = clean + 0.1
    length = 0.1 * 12**0.5
    check_result(clean, result_of(images), length, "l2")
    with pytest.raises(ImageError, match=r"image 0 .* 0\.34641 \(l2\) .*attack\.eps=0\.34640"):
        check_result(clean, result_of(images), length - 2e-6, "l2")


def test_l2_is_exact_for_a_whole_picture() -> None:
    """A sum of 150,528 squares in float32 would be off by more than the tolerance."""
    clean = torch.full((1, 3, 224, 224), 0.5)
    images = clean + 0.125
    expected = 0.125 * 150528**0.5
    assert check_result(clean, result_of(images), expected, "l2").l2.item() == pytest.approx(
        expected, rel=1e-7
    )


def test_error_knows_its_image(clean: Tensor) -> None:
    images = clean.clone()
    images[2] += 0.1
    with pytest.raises(ImageError) as caught:
        check_result(clean, result_of(images), 0.05)
    assert caught.value.position == 2
    assert caught.value.complaint.startswith("is 0.1 (linf) from its clean image")


@pytest.mark.parametrize("sign", [1, -1])
def test_ball_violation_raises(clean: Tensor, sign: int) -> None:
    images = clean.clone()
    images[1, 0, 0, 0] += sign * (0.06 + 3e-6)
    with pytest.raises(AttackError, match=r"image 1 of .* batch of 3 .*attack\.eps=0\.06"):
        check_result(clean, result_of(images), eps=0.06)


def test_rounding_is_no_violation(clean: Tensor) -> None:
    images = clean + 0.06 + 5e-7
    found = check_result(clean, result_of(images), eps=0.06)
    assert found.linf.tolist() == pytest.approx([0.06] * 3, abs=1e-6)


def test_without_eps_only_the_range_is_checked(clean: Tensor) -> None:
    assert check_result(clean, result_of(clean + 0.5), eps=None).linf.tolist() == [0.5] * 3
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
    assert check_result(empty, result_of(empty), eps=0.1).l2.shape == (0,)


@pytest.mark.parametrize("value", ["8/255", None, -0.1, math.nan, math.inf, True])
def test_no_number_of_at_least_zero(value: float) -> None:
    with pytest.raises(ConfigError, match=r"attack\.eps=.*frac:8,255"):
        check_not_negative("attack.eps", value)


def test_zero_and_integers_are_numbers() -> None:
    assert check_not_negative("attack.eps", 0) == 0.0
    assert check_not_negative("attack.eps", 1) == 1.0


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3"])
def test_no_count(value: int) -> None:
    with pytest.raises(ConfigError, match=r"attack\.iterations=.*integer of at least 1"):
        check_count("attack.iterations", value)


def test_radius_above_the_pixel_range() -> None:
    with pytest.raises(ConfigError, match=r"attack\.eps=8: above 1.*frac:8,255"):
        check_eps(8, "linf")
    assert check_eps(1, "linf") == 1.0
    assert check_eps(3, "l2") == 3.0
    with pytest.raises(ConfigError, match=r"attack\.eps=-1"):
        check_eps(-1, "l2")


def test_norm_that_the_attack_lacks() -> None:
    assert check_norm("l2") == "l2"
    with pytest.raises(ConfigError, match=r"attack\.norm=l1: this attack has linf, l2"):
        check_norm("l1")
    with pytest.raises(ConfigError, match=r"attack\.norm=l2: this attack has linf$"):
        check_norm("l2", ("linf",))


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
def test_images_out_of_range(clean: Tensor, value: float) -> None:
    check_range(clean)
    clean[1, 0, 0, 0] = value
    with pytest.raises(ImageError, match=r"image 1 .* outside \[0, 1\] before the attack"):
        check_range(clean)
