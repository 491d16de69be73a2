"""How much of every split is evaluated: `budget=2%`, `budget=5000`.

A budget is a prefix of the one class-stratified order of a split, so it is the same pictures for
every model, and a larger one holds a smaller one. It is not part of the run key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from oodbench.core.errors import ConfigError

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_MEND = "give a part of every split above 0% up to 100%, such as 2%, or a number, such as 5000"


@dataclass(frozen=True)
class Budget:
    """A part of every split: one of the two is given.

    Attributes:
        share: of a split's items, above 0 and at most 1.
        number: items of every split, at least 1.
    """

    share: Fraction | None = None
    number: int | None = None

    def items(self, n_items: int) -> int:
        """How many of a split's `n_items` items (pictures, or clips); a share is rounded up."""
        if self.share is not None:
            return ceil(self.share * n_items)
        return n_items if self.number is None else min(self.number, n_items)


def parse_budget(value: Any) -> Budget:
    """The config's `budget`.

    Args:
        value: None (everything), such as "2%" or "0.5%" (of every split), or such as 5000 (items of
            every split, so 75 times as many of ImageNet-C).

    Raises:
        ConfigError: it is something else, or out of range.
    """
    if value is None:
        return Budget()
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        share = Fraction(match[1]) / 100
        if 0 < share <= 1:
            return Budget(share=share)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return Budget(number=value)
    raise ConfigError(f"budget={value}: {_MEND}")


def item_counts(sizes: Mapping[str, int], budget: Budget, limit: int | None) -> dict[str, int]:
    """Items to evaluate of every split: the smallest of all, budget and limit.

    Args:
        sizes: by split, its number of items on disk.
        budget: see `parse_budget`.
        limit: the config's `limit`, None for none.
    """
    return {name: min(budget.items(size), limit or size) for name, size in sizes.items()}


def budget_note(sizes: Mapping[str, int], counts: Mapping[str, int]) -> str:
    """One sentence for result.json where less than what is on disk is evaluated, else "".

    Args:
        sizes: by split, its number of items on disk.
        counts: by split, its number of evaluated items.
    """
    evaluated, there = sum(counts.values()), sum(sizes.values())
    if evaluated == there:
        return ""
    of = "" if len(sizes) == 1 else f" of {len(sizes)} splits"
    return (
        f"a part of the data: {evaluated} of {there} items{of}, the first ones of the "
        "class-stratified order; all scores, means over splits too, rest on these"
    )
