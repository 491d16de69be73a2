"""Which row of a table each run stands in: its model, and what was done otherwise."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from oodbench.reference import published_models
from oodbench.reports.comparisons.words import is_of, way_of
from oodbench.reports.tables.columns import MODEL
from oodbench.reports.tables.rows import told_apart
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunFailure, RunResult


class Place(NamedTuple):
    """A row.

    Attributes:
        way: preprocessing, attack or engine, where the table has rows by it; else "".
        difference: all else that was done otherwise.
    """

    model: str
    way: str
    difference: str

    def labels(self, by: str | None) -> list[str]:
        """What is shown of it."""
        name = f"{self.model} ({self.difference})" if self.difference else self.model
        return [name] if by is None else [name, self.way]

    def rank(self) -> tuple[bool, int, str, str, str]:
        """Sorts rows: those of the published table, other models, then all with differences."""
        order = published_models()
        place = order.index(self.model) if self.model in order else len(order)
        return (self.difference != "", place, self.model, self.difference, self.way)


def label_headings(by: str | None) -> list[str]:
    """Headings of the labels of a row."""
    return [MODEL] if by is None else [MODEL, by.capitalize()]


def placed(
    results: Sequence[RunResult], by: str | None, other_names: Mapping[Path, Sequence[str]]
) -> Iterator[tuple[Place, RunResult]]:
    """The runs with their rows; by preprocessing, one for each name that a run stands for.

    Args:
        results: of all runs, as a run's row depends on the others.
        by: preprocessing, attack or engine; None: rows differ by all that was done otherwise.
        other_names: further names of preprocessings, by the run's folder.
    """
    for result, words in zip(results, told_apart(results), strict=True):
        if by is None:
            yield Place(result.model, "", difference_text(words)), result
            continue
        rest = difference_text(word for word in words if not is_of(word, by))
        others = other_names.get(result.directory, ()) if by == "preprocessing" else ()
        for way in dict.fromkeys([way_of(result, by), *others]):
            yield Place(result.model, way, rest), result


def place_of(failure: RunFailure, by: str | None) -> Place:
    """The row that a failed run would stand in."""
    if by is None:
        return Place(failure.model, "", difference_text(failure.difference))
    rest = [word for word in failure.difference if not is_of(word, by)]
    own = [word for word in failure.difference if is_of(word, by)]
    way = difference_text(own).replace(f"{by}.", "").removeprefix(f"{by}=")
    return Place(
        failure.model, way or str(getattr(failure, by, "as shipped")), difference_text(rest)
    )
