"""Stimuli that their own names describe: cue conflict."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.data.archives.arrangements.base import has_suffix
from oodbench.data.sets.facts import DataSet
from oodbench.reference import geirhos_categories

_NAME = re.compile(r"([a-z]+)\d+-([a-z]+)\d+\.png")


class Stimuli:
    """`…/<shape><i>-<texture><j>.png` goes into the folder of its shape."""

    by_name: ClassVar[bool] = True

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        self._categories = frozenset(geirhos_categories())

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures whose names are two of the 16 categories with numbers; nothing else."""
        match = _NAME.fullmatch(parts[-1])
        if not has_suffix(parts, frozenset({".png"})) or match is None:
            return None
        if match[1] not in self._categories or match[2] not in self._categories:
            return None
        return (match[1], parts[-1])
