"""How many items a run may leave out because they cannot be read."""

from fractions import Fraction
from math import ceil

from oodbench.core.errors import DataError
from oodbench.core.schema import DataConfig


def most_skipped(data: DataConfig, n_items: int) -> int:
    """Items that a run of so many may leave out: a share of them, rounded up."""
    return ceil(Fraction(str(data.max_skipped)) * n_items) if data.on_error == "skip" else 0


def too_many_skipped(data: DataConfig, n_skipped: int, n_items: int, last: str) -> DataError:
    """The error for more than these.

    Args:
        n_skipped: items that could not be read.
        n_items: of the run.
        last: why the last of them could not be read.
    """
    return DataError(
        f"{n_skipped} of {n_items} items could not be read, and data.max_skipped="
        f"{data.max_skipped} allows {most_skipped(data, n_items)} (the last one: {last}): repair "
        "the data, or raise data.max_skipped"
    )
