"""What fits together and what does not."""

from types import SimpleNamespace
from typing import Any

import pytest
from configs import composed

from oodbench.core.errors import ConfigError
from oodbench.evaluation.assemble import attack_traits, setting_of
from oodbench.metrics.attack_traits import AttackTraits

LOGITS_ONLY = "engine.backend._target_=engine_toys.LogitsOnly"


def plan(*overrides: str) -> Any:
    return SimpleNamespace(run=composed(*overrides))


def test_an_own_engine_without_gradients_is_refused_for_an_attack_that_needs_them() -> None:
    read: Any = None
    with pytest.raises(ConfigError) as error:
        setting_of(plan("attack=pgd_linf", "engine=eager", LOGITS_ONLY), read, [])
    assert str(error.value) == (
        "engine=eager: computes no gradients, which attack=pgd_linf needs: use another engine, "
        "such as engine=eager, or an attack without, such as attack=square"
    )


def test_an_attack_says_what_it_is() -> None:
    expected = AttackTraits(eps=8 / 255, needs_gradients=False, steps_key="queries")
    assert attack_traits(plan("attack=square")) == expected
    assert attack_traits(plan("attack=none")) is None
