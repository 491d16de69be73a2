"""The files in an archive or a folder, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Member:
    """A regular file.

    Attributes:
        parts: of its path in the archive; safe to join to a folder.
        size: bytes, as the archive states them.
        read: its content; to be called at most once, and before the next member is asked for.
        path: of the file, where it lies in a folder.
    """

    parts: tuple[str, ...]
    size: int
    read: Callable[[], bytes]
    path: Path | None = None


class Source(Protocol):
    """Where members come from: an archive or a folder."""

    def members(self) -> AbstractContextManager[Iterator[Member]]:
        """All regular files, in the order of the archive.

        Raises:
            DataError: damaged, or with something in it that no official archive has.
        """
        ...
