"""What an attack is, for everything that is decided by it: no report knows an attack by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oodbench.reference import read_table

_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class AttackTraits:
    """Traits of one attack with its arguments, stored in result.json.

    They are attributes of the attack's class or object under the same names. The defaults hold
    where an attack has no such attribute.

    Attributes:
        eps: radius in [0, 1] pixel units; None: no such bound.
        norm: of the radius, linf or l2.
        needs_gradients: of the attacked classifier.
        gradient_free_part: it needs gradients, but tries something without them, too.
        judges_last_iterate: success is judged at the end alone, so that `attack_iterations` do not
            tell when a picture was lost.
        on_scored_network: the pictures are made on the network that they are scored on.
        steps_key: config key of the number of its steps, such as `arguments.steps`; "" where it has
            no such number.
        uses_seed: what it finds depends on the run's seed.
    """

    eps: float | None = None
    norm: str = "linf"
    needs_gradients: bool = True
    gradient_free_part: bool = False
    judges_last_iterate: bool = False
    on_scored_network: bool = True
    steps_key: str = "iterations"
    uses_seed: bool = True

    @property
    def bounded(self) -> bool:
        """Whether a radius limits it."""
        return self.eps is not None

    @property
    def iterative(self) -> bool:
        """Whether it can be given more steps."""
        return self.steps_key != ""


def traits_before_they_were_stored(attack: Mapping[str, Any]) -> AttackTraits | None:
    """Traits of an attack of which only the config is known; None where there is no attack.

    What the shipped attacks are is in `reference/attack_traits.csv`, by the full dotted name.

    Args:
        attack: `attack` node of a result's config.
    """
    if "_target_" not in attack:
        return None
    inner = attack.get("attack")
    radius = inner if isinstance(inner, Mapping) else attack  # of the attack on a source
    found = {name: radius[name] for name in ("eps", "norm") if name in radius}
    for row in read_table("attack_traits.csv"):
        if row["target"] == attack["_target_"] and _holds(row["where"], attack):
            found[row["trait"]] = _value(row["value"])
    return AttackTraits(**found)


def _holds(condition: str, attack: Mapping[str, Any]) -> bool:
    """Whether `key=value` stands in the config; an empty condition always holds."""
    key, _, value = condition.partition("=")
    return not condition or attack.get(key) == _value(value)


def _value(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)
