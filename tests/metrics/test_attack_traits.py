"""Traits of attacks that only a config tells of, by the full name of their class."""

import pytest

from oodbench.metrics.attack_traits import AttackTraits, traits_before_they_were_stored


@pytest.mark.parametrize(
    ("target", "needs_gradients"),
    [
        ("oodbench.attacks.square.Square", False),
        ("mypackage.Square", True),
        ("Square", True),
    ],
)
def test_the_last_part_of_a_name_is_no_name(target: str, needs_gradients: bool) -> None:
    found = traits_before_they_were_stored({"_target_": target, "eps": 0.1})
    assert found is not None
    assert (found.needs_gradients, found.eps) == (needs_gradients, 0.1)


def test_no_attack_has_no_traits() -> None:
    assert traits_before_they_were_stored({"name": "none"}) is None


def test_what_follows_from_them() -> None:
    assert not AttackTraits().bounded
    assert AttackTraits(eps=0.0).bounded
    assert AttackTraits().iterative
    assert not AttackTraits(steps_key="").iterative
