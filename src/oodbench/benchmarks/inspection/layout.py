"""Folders that a benchmark cannot read, and why: the usual ways in which trees are wrong."""

from pathlib import Path

from oodbench.benchmarks.inspection.finding import Problem
from oodbench.benchmarks.inspection.mending import Mending
from oodbench.core.errors import DataError
from oodbench.data.listing import PICTURE_SUFFIXES, folder_names
from oodbench.reference import class_lists


def layout_problem(root: Path, error: DataError, mend: Mending) -> Problem:
    """What is wrong with a folder that the benchmark refused.

    Args:
        root: of the benchmark.
        error: of the benchmark, which is said where the way is none of the usual ones.
        mend: the commands that mend it.
    """
    names = folder_names(root) if root.is_dir() else []
    if names and all(name.isdigit() for name in names):
        return Problem(str(root), _numbered(len(names)), mend.sort)
    if root.is_dir() and not names and (n := _n_pictures(root)):
        said = f"{n} pictures without class folders, of which every label would be the same"
        return Problem(str(root), said, mend.sort)
    place, _, said = str(error).partition(": ")
    return Problem(place, said or str(error), mend.anew)


def _numbered(n: int) -> str:
    """Folders that are called 0, 1, 2, …"""
    sizes = {len(wnids): name for name, wnids in class_lists().items()}
    if n < 1000 and n in sizes:
        return (
            f"{n} folders named by numbers, those of the {n} classes of a subset, which are not "
            "the numbers of the 1000 classes"
        )
    return (
        f"{n} folders named by numbers, which sorted as text are 0, 1, 10, 100, …, so that nearly "
        "all labels would be wrong"
    )


def _n_pictures(root: Path) -> int:
    return sum(path.suffix.lower() in PICTURE_SUFFIXES for path in root.iterdir())
