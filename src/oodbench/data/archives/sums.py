"""Sizes and sums of archives, compared with the published ones."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.sets.facts import Archive

PIECE = 1 << 20
"""Bytes read at a time."""


def check_size(archive: Archive, path: Path) -> None:
    """Compare the size, which says in no time that a download was cut.

    Raises:
        DataError: it is not the published one.
    """
    size = path.stat().st_size
    if archive.bytes is not None and size != archive.bytes:
        less = "cut off" if size < archive.bytes else "another file"
        raise DataError(
            f"{path}: {size} bytes, the published {archive.file} has {archive.bytes}: {less}; "
            "download it again"
        )


class Sum:
    """The strongest published sum of an archive, computed while its bytes pass by.

    Args:
        archive: with its published sums.
    """

    def __init__(self, archive: Archive) -> None:
        self.kind = "sha256" if archive.sha256 else "md5" if archive.md5 else None
        self._expected = archive.sha256 or archive.md5
        self._name = archive.file
        self._digest = hashlib.new(self.kind) if self.kind else None

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._digest is not None:
            self._digest.update(piece)

    def check(self, path: Path) -> None:
        """After the last bytes: compare.

        Args:
            path: of the file, for messages.

        Raises:
            DataError: the sum is not the published one.
        """
        if self._digest is not None and self._digest.hexdigest() != self._expected:
            raise DataError(
                f"{path}: {self.kind} {self._digest.hexdigest()}, the published {self._name} has "
                f"{self._expected}: damaged, or another file; download it again"
            )


def check_sum(archive: Archive, path: Path, arrived: Callable[[int], None]) -> None:
    """Read a whole file and compare its sum.

    Args:
        archive: with its published sums.
        path: of the file.
        arrived: called with the bytes of each piece.

    Raises:
        DataError: the sum is not the published one.
    """
    digest = Sum(archive)
    if digest.kind is None:
        return
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            arrived(len(piece))
    digest.check(path)
