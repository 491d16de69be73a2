"""One source picture's share of a generated data set, made in whichever process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.core.files import write_together
from oodbench.data.corruptions.parameters import stream_name
from oodbench.data.depth import deep_pictures

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Maker:
    """How files are made, by functions of modules: other processes look them up by name.

    Attributes:
        prepare: file of a clean picture -> what all its files are made of.
        make: (that, cell, seed of the data set, the picture's stream name) -> content of a file.
        suffix: of the files.
    """

    prepare: Callable[[Path], Picture]
    make: Callable[[Picture, str, int, str], bytes]
    suffix: str


@dataclass(frozen=True)
class Task:
    """Files that are to be made of one picture.

    Attributes:
        source: file of the clean picture.
        class_name: its class folder.
        cells: folders below `out`, such as fog/3.
        out: root of the data set.
        seed: of the whole data set.
        maker: how.
    """

    source: Path
    class_name: str
    cells: Sequence[str]
    out: Path
    seed: int
    maker: Maker

    @property
    def file(self) -> str:
        """The file's path below each of the cells, with a forward slash."""
        return stream_name(self.class_name, self.source.name) + self.maker.suffix


@dataclass(frozen=True)
class Made:
    """What became of a task.

    Attributes:
        checksums: the sha256 of each cell's file.
        deep: the clean picture has more than 8 bits a channel.
    """

    checksums: dict[str, str]
    deep: bool


def carry_out(task: Task) -> Made:
    """Write the files of a task, each atomically, as <cell>/<class>/<name><suffix>.

    Raises:
        DataError: the clean picture cannot be read, by name.
        OSError: a file cannot be written.
    """
    with deep_pictures() as deep:
        picture = task.maker.prepare(task.source)
    name = stream_name(task.class_name, task.source.name)
    made = {cell: task.maker.make(picture, cell, task.seed, name) for cell in task.cells}
    write_together({task.out / cell / task.file: data for cell, data in made.items()})
    return Made({cell: sha256(data).hexdigest() for cell, data in made.items()}, bool(deep))
