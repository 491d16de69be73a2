"""What a container is: members by path, found once and kept in an index, read one by one."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from oodbench.core.errors import DataError

MOST_BYTES = 1 << 30
"""Of a member: no picture or clip of the data sets comes near, and memory has to hold it."""


class Member(NamedTuple):
    """A file in a container, and where its bytes are.

    Attributes:
        path: below the container, with forward slashes, checked by `names.checked`.
        size: bytes once it is unpacked.
        file: position in `Container.files` of the file that holds it.
        offset: of its bytes, or what stands for it, in that file.
        packed: a second number that the kind needs, such as the bytes before unpacking.
        method: how it is packed, 0 for not at all.
        crc: CRC-32 of the unpacked bytes, where the kind has it.
    """

    path: str
    size: int
    file: int
    offset: int
    packed: int = 0
    method: int = 0
    crc: int = 0


@dataclass(frozen=True)
class Choices:
    """What is what in a container, where it does not say so itself; None: found by itself.

    Attributes:
        image: column of the pictures; in tar shards their ending.
        label: column of the labels.
        path: column of the names.
        classes: list whose positions the labels are: a name or a file of synset ids.
    """

    image: str | None = None
    label: str | None = None
    path: str | None = None
    classes: str | None = None


class Contents(NamedTuple):
    """The members of a container.

    Attributes:
        named: whether the container names them; else their names are made from what they hold.
    """

    members: Iterable[Member]
    named: bool = True


class Container(Protocol):
    """A kind of container, of certain files. It keeps no file open."""

    files: Sequence[Path]
    """Those that it consists of, whose times are watched."""

    def contents(self) -> Contents:
        """All members, read from the files.

        Raises:
            DataError: it is damaged, by file and member, or holds what cannot be read at random.
        """
        ...

    def read(self, member: Member) -> bytes:
        """The bytes of a member.

        Raises:
            DataError: they are damaged, by name.
            OSError: the file cannot be read.
        """
        ...

    def state(self, member: Member) -> os.stat_result:
        """Of the file that holds a member."""
        ...


def read_at(file: Path, offset: int, size: int, name: str) -> bytes:
    """Bytes of a file, which is open no longer than that.

    Args:
        name: of the member, for the message.

    Raises:
        DataError: the file is shorter.
        OSError: it cannot be read.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        found = os.pread(descriptor, size, offset)
        while len(found) < size and (
            more := os.pread(descriptor, size - len(found), offset + len(found))
        ):
            found += more
    finally:
        os.close(descriptor)
    if len(found) < size:
        raise DataError(f"{file}: {name}: the file ends before it does: get the file again")
    return found


def check_size(file: Path, name: str, size: int) -> None:
    """Refuse what would fill the memory.

    Raises:
        DataError: a member has more than 1 GiB.
    """
    if size > MOST_BYTES:
        raise DataError(f"{file}: {name}: {size} bytes, more than any picture or clip has")
