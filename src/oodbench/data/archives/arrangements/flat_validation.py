"""The validation pictures in one flat folder, sorted by their numbers: ImageNet."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from oodbench.core.errors import DataError
from oodbench.data.archives.devkit import devkit_labels
from oodbench.data.sets.facts import DataSet
from oodbench.reference import imagenet_wnids, validation_labels

_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.IGNORECASE)


class FlatValidation:
    """`…/ILSVRC2012_val_<number>.JPEG` goes into the folder of its class.

    The classes are those of the shipped list; where the devkit is among the archives, its ground
    truth must agree.

    Raises:
        DataError: it does not, or the devkit is damaged.
    """

    by_name: ClassVar[bool] = True

    def __init__(self, data_set: DataSet, found: Mapping[str, Path]) -> None:
        self._labels = validation_labels()
        self._wnids = imagenet_wnids()
        for archive in data_set.archives:
            if not archive.pictures and archive.file in found:
                self._compare(found[archive.file])

    def _compare(self, devkit: Path) -> None:
        stated = devkit_labels(devkit)
        own = [self._wnids[label] for label in self._labels]
        if len(stated) != len(own):
            raise DataError(
                f"{devkit}: labels of {len(stated)} pictures, not of {len(own)}: another devkit"
            )
        other = [
            number
            for number, pair in enumerate(zip(stated, own, strict=True), 1)
            if pair[0] != pair[1]
        ]
        if other:
            number = other[0]
            raise DataError(
                f"{devkit}: says {stated[number - 1]} of picture {number}, the shipped list says "
                f"{own[number - 1]}; they differ in {len(other)} pictures: another devkit, or a "
                "damaged one"
            )

    def place(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Pictures by the number in their name, wherever they lie.

        Raises:
            DataError: a number that no validation picture has.
        """
        match = _NAME.fullmatch(parts[-1])
        if match is None:
            return None
        number = int(match[1])
        if not 1 <= number <= len(self._labels):
            raise DataError(
                f"{'/'.join(parts)}: there are {len(self._labels)} validation pictures, none has "
                "this number"
            )
        return (self._wnids[self._labels[number - 1]], parts[-1])
