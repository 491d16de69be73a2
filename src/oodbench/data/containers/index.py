"""Where each member of a container is: compact, sorted by folder and name, kept in the cache."""

import hashlib
import io
import json
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.core.cache import cache_directory, keep_bytes, kept_bytes
from oodbench.core.errors import DataError, printable
from oodbench.data.containers.base import Contents, Member

FORMAT = 1
"""Of the index; goes up when the same container would be read otherwise."""

_NUMBERS = ("size", "file", "offset", "packed", "method", "crc")


class Index:
    """Members by folder and name; about 60 bytes each, beside their names.

    Args:
        folders: paths of the folders with files in them, bytewise, and how many each has.
        names: of all files, folder by folder, bytewise in each, joined by zeros.
        numbers: int64 `(n, 6)`: the other fields of `Member`.
        named: see `Contents`.
    """

    def __init__(
        self, folders: list[tuple[str, int]], names: bytes, numbers: NDArray[np.int64], named: bool
    ) -> None:
        self.named = named
        self._folders, self._names, self._numbers = folders, names, numbers
        ends = np.flatnonzero(np.frombuffer(names, np.uint8) == 0)
        self._starts = np.concatenate([[0], ends + 1, [len(names) + 1]]).astype(np.int64)
        self._span: dict[str, tuple[int, int]] = {}
        self._below: dict[str, set[str]] = {"": set()}
        first = 0
        for folder, count in folders:
            self._span[folder] = (first, first + count)
            first += count
            while folder:
                above, _, name = folder.rpartition("/")
                self._below.setdefault(folder, set())
                self._below.setdefault(above, set()).add(name)
                folder = above

    @classmethod
    def of(cls, contents: Contents, container: Path) -> "Index":
        """Sorted and checked.

        Raises:
            DataError: two members have one name.
        """
        members = sorted(contents.members, key=lambda member: _place(member.path))
        folders: list[tuple[str, int]] = []
        previous = None
        for member in members:
            if member.path == previous:
                raise DataError(f"{container}: {printable(member.path)} is in it twice")
            previous = member.path
            folder = member.path.rpartition("/")[0]
            if folders and folders[-1][0] == folder:
                folders[-1] = (folder, folders[-1][1] + 1)
            else:
                folders.append((folder, 1))
        names = b"\0".join(os.fsencode(member.path.rpartition("/")[2]) for member in members)
        numbers = np.array([member[1:] for member in members], np.int64).reshape(-1, len(_NUMBERS))
        return cls(folders, names, numbers, contents.named)

    def folders_in(self, folder: str) -> list[str] | None:
        """Names of the folders in one, in any order; None where there is no such folder."""
        found = self._below.get(folder)
        return None if found is None else list(found)

    def files_in(self, folder: str) -> Iterator[tuple[str, int]]:
        """Names and sizes of the files in a folder."""
        for row in range(*self._span.get(folder, (0, 0))):
            yield os.fsdecode(self._name(row)), int(self._numbers[row, 0])

    def member(self, folder: str, name: str) -> Member | None:
        """A file, or None."""
        span = self._span.get(folder)
        if span is None:
            return None
        wanted = os.fsencode(name)
        row = bisect_left(range(*span), wanted, key=self._name) + span[0]
        if row >= span[1] or self._name(row) != wanted:
            return None
        path = f"{folder}/{name}" if folder else name
        return Member(path, *(int(number) for number in self._numbers[row]))

    def packed(self) -> bytes:
        """For the cache."""
        head = json.dumps({"folders": self._folders, "named": self.named}).encode()
        file = io.BytesIO()
        np.savez(
            file,
            head=np.frombuffer(head, np.uint8),
            names=np.frombuffer(self._names, np.uint8),
            numbers=self._numbers,
        )
        return file.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> "Index":
        """From `packed`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            head = json.loads(stored["head"].tobytes())
            folders = [(folder, count) for folder, count in head["folders"]]
            return cls(folders, stored["names"].tobytes(), stored["numbers"], head["named"])

    def _name(self, row: int) -> bytes:
        return self._names[self._starts[row] : self._starts[row + 1] - 1]


def kept_index(stamp: str) -> Index | None:
    """The index of a container in this very state, from the cache."""
    content = kept_bytes(_path(stamp))
    return None if content is None else Index.unpacked(content)


def keep_index(stamp: str, index: Index) -> None:
    """Keep it for other processes and later runs."""
    keep_bytes(_path(stamp), index.packed())


def _path(stamp: str) -> Path:
    name = hashlib.sha256(f"{FORMAT}\0{stamp}".encode("utf-8", "surrogateescape")).hexdigest()
    return cache_directory() / "containers" / f"{name[:32]}.index"


def _place(path: str) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition("/")
    return os.fsencode(folder), os.fsencode(name)
