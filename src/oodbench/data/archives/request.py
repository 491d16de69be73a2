"""What a user asks to be prepared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.data.archives.placing import How
from oodbench.data.archives.zip import Password
from oodbench.data.sets.facts import DataSet


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        data_set: its facts.
        given: archives, a folder that holds them, or a folder of unpacked pictures.
        root: the data root.
        how: what becomes of the files of a folder.
        verify: whether sizes and sums are compared with the published ones.
        password: asked for where an archive is encrypted.
        benchmark: that the command named at the end measures; None: none reads the data set.
    """

    data_set: DataSet
    given: Sequence[Path]
    root: Path
    how: How
    verify: bool
    password: Password
    benchmark: str | None

    @property
    def place(self) -> Path:
        """The folder of the data set, links resolved: it may be on another disk."""
        return (self.root / self.data_set.place).resolve()
