"""Folders named by class number, 0 to 999, which become synset ids: ImageNet-V2."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.core.errors import DataError
from oodbench.data.archives.arrangements.base import PICTURES, has_suffix
from oodbench.data.sets.facts import DataSet
from oodbench.reference import imagenet_wnids


class IndexFolders:
    """`…/<number>/<file>` becomes `<wnid>/<file>`, by the number and not by the order of names."""

    by_name: ClassVar[bool] = False

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        self._wnids = {str(index): wnid for index, wnid in enumerate(imagenet_wnids())}

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures in folders of class numbers.

        Raises:
            DataError: a number that no class has.
        """
        if len(parts) < 2 or not has_suffix(parts, PICTURES):
            return None
        folder = parts[-2]
        if folder in self._wnids:
            return (self._wnids[folder], parts[-1])
        if folder.isdecimal():
            raise DataError(
                f"{'/'.join(parts)}: {folder} is no class number from 0 to 999: another data set?"
            )
        return None
