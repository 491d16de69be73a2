"""What was found of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        place: folder or file.
        said: what is wrong with it.
        mend: a command that mends it, or what to do.
    """

    place: str
    said: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.said}: {self.mend}"


@dataclass(frozen=True)
class Inspection:
    """A benchmark's data, looked at.

    Attributes:
        benchmark: its name.
        root: where they have to be.
        there: whether anything is.
        demo: they are demo data.
        n_files: pictures or clips that were found.
        n_expected: official number; None where no source has it.
        missing: parts that are not there.
        problems: all that is wrong.
        deep: whether files were decoded.
    """

    benchmark: str
    root: str
    there: bool
    demo: bool = False
    n_files: int = 0
    n_expected: int | None = None
    missing: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    deep: bool = False

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return self.there and not self.problems
