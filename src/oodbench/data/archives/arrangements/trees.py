"""Many trees of class folders: ImageNet-C, with severities, and ImageNet-P."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.data.archives.arrangements.base import PICTURES_AND_CLIPS, has_suffix
from oodbench.data.sets.facts import DataSet
from oodbench.reference import SEVERITIES, imagenet_wnids

_SEVERITIES = frozenset(map(str, SEVERITIES))
_NAME = re.compile(r"\w+", re.ASCII)


class Trees:
    """`…/<tree>[/<severity>]/<wnid>/<file>` becomes the same without what is in front."""

    by_name: ClassVar[bool] = False

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        self._wnids = frozenset(imagenet_wnids())

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures and clips in class folders of a tree; nothing else."""
        if len(parts) < 3 or parts[-2] not in self._wnids:
            return None
        if not has_suffix(parts, PICTURES_AND_CLIPS):
            return None
        n_kept = 4 if parts[-3] in _SEVERITIES else 3
        kept = parts[-n_kept:]
        return kept if len(kept) == n_kept and _NAME.fullmatch(kept[0]) else None
