"""What an arrangement is, and what it may look at."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from oodbench.data.listing import CLIP_SUFFIXES, PICTURE_SUFFIXES
from oodbench.data.sets.facts import DataSet

PICTURES = PICTURE_SUFFIXES
PICTURES_AND_CLIPS = PICTURE_SUFFIXES | CLIP_SUFFIXES


class Arrangement(Protocol):
    """Made once for a data set, from its facts and from the archives that were found, by name.

    Attributes:
        by_name: a file's own name says where it goes, so that files in wrong folders can be sorted.
    """

    by_name: ClassVar[bool]

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None: ...

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Where a member goes.

        Args:
            parts: of its path in the archive.

        Returns:
            Parts of its path below the data set's folder; None where it is left out, as a README.

        Raises:
            DataError: it must not be there.
        """
        ...


def has_suffix(parts: tuple[str, ...], suffixes: frozenset[str]) -> bool:
    """Whether the last part ends in one of the suffixes, in any case, and is not hidden."""
    name = parts[-1]
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes
