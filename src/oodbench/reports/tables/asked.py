"""What is asked of a table: which cells it shows, and how."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

PUBLISHED_VALUES = "published"
"""What `against` names beside models."""


@dataclass(frozen=True)
class Asked:
    """A choice of cells; as it is, that of the whole table.

    Attributes:
        models, benchmarks: patterns of their names.
        metric: score that the cells show; None: the one that stands for each benchmark.
        by: preprocessing, attack or engine: one row for each that a model was measured with.
        against: `published`, or a model: cells show the difference from it.
        sort: title of a column, or its benchmark; None: the order of the published table.
        columns: titles or benchmarks, in this order; none: all.
        best: mark the best cells of each column.
    """

    models: str = "*"
    benchmarks: str = "*"
    metric: str | None = None
    by: str | None = None
    against: str | None = None
    sort: str | None = None
    columns: Sequence[str] = ()
    best: bool = False

    def has(self, model: str, benchmark: str) -> bool:
        """Whether a model on a benchmark is among what is asked for or needed for it."""
        is_asked = fnmatchcase(model, self.models) or model == self.against
        return is_asked and fnmatchcase(benchmark, self.benchmarks)

    def changed(self) -> list[str]:
        """Names of what is not as in the whole table."""
        usual = Asked()
        return [
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(usual, field.name)
        ]


_MOST_LISTED = 20


def listed(names: Iterable[str]) -> str:
    """Names for a message, each once and sorted; the first ones where there are many."""
    found = sorted(set(names))
    left = len(found) - _MOST_LISTED
    return ", ".join(found[:_MOST_LISTED]) + (f" and {left} more" if left > 0 else "")
