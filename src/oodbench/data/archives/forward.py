"""A file that is read forwards only, so that every byte of it passes by once."""

import io
from collections.abc import Callable
from typing import IO

from oodbench.core.errors import DataError

PIECE = 1 << 20
"""Bytes read at a time."""


class Forward(io.RawIOBase):
    """What tarfile and gzip read from.

    Args:
        file: open for reading, at its start.
        passed: called with all bytes, in order.
        most: bytes that may be asked for at once; headers of bombs ask for gigabytes.
        name: of the archive, for messages.
    """

    def __init__(
        self, file: IO[bytes], *, passed: Callable[[bytes], None], most: int, name: str
    ) -> None:
        self._file = file
        self._passed = passed
        self._most = most
        self._name = name
        self._position = 0

    def read(self, n: int = -1, /) -> bytes:
        """The next `n` bytes.

        Raises:
            DataError: `n` is more than any header or picture has.
        """
        if n < 0 or n > self._most:
            raise DataError(
                f"{self._name}: refused: something in it would have {n} bytes, more than any "
                "picture; this is not the official archive: download it again"
            )
        found = self._file.read(n)
        self._position += len(found)
        self._passed(found)
        return found

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        """Read on to a later position.

        Raises:
            io.UnsupportedOperation: it is an earlier one.
        """
        if whence != io.SEEK_SET or position < self._position:
            raise io.UnsupportedOperation("only forwards")
        while self._position < position:
            if not self.read(min(PIECE, position - self._position)):
                break
        return self._position

    def tell(self) -> int:
        """Bytes read so far."""
        return self._position

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """As far as tarfile asks."""
        return True

    def rest(self) -> None:
        """Read on to the end."""
        while self.read(PIECE):
            pass
