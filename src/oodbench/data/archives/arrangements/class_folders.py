"""Folders named by synset id, as they are: ImageNet-A, -R, -O, Sketch."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.data.archives.arrangements.base import PICTURES, has_suffix
from oodbench.data.sets.facts import DataSet
from oodbench.reference import imagenet_wnids


class ClassFolders:
    """`…/<wnid>/<file>` becomes `<wnid>/<file>`."""

    by_name: ClassVar[bool] = False

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        self._wnids = frozenset(imagenet_wnids())

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures in folders of ImageNet's classes; nothing else."""
        if len(parts) < 2 or parts[-2] not in self._wnids or not has_suffix(parts, PICTURES):
            return None
        return parts[-2:]
