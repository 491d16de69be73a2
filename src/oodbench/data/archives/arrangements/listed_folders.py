"""Folders of which a shipped table names those that have ImageNet classes: ObjectNet."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.data.archives.arrangements.base import PICTURES, has_suffix
from oodbench.data.sets.facts import DataSet
from oodbench.reference import read_table


class ListedFolders:
    """`…/<folder>/<file>` becomes `<folder>/<file>` where the data set's table has the folder."""

    by_name: ClassVar[bool] = False

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        assert data_set.folders is not None
        self._folders = frozenset(row["folder"] for row in read_table(data_set.folders))

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures in folders of the table; nothing else."""
        if len(parts) < 2 or parts[-2] not in self._folders or not has_suffix(parts, PICTURES):
            return None
        return parts[-2:]
