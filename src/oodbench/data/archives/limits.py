"""How much an archive may unpack to: what is larger is a bomb, not a data set."""

from oodbench.core.errors import DataError

LARGEST_MEMBER = 200 * 10**6
"""Bytes; pictures of the data sets have at most a few ten million."""

SMALLEST_LIMIT = 10**9
"""Bytes that any archive may unpack to."""

RATIO = 20
"""Bytes unpacked per byte of archive, beyond that: pictures hardly compress."""


class Limits:
    """Counts what an archive unpacks to.

    Args:
        archive: its name, for messages.
        size: its bytes.
    """

    def __init__(self, archive: str, size: int) -> None:
        self._archive = archive
        self.total = max(SMALLEST_LIMIT, RATIO * size)
        self._so_far = 0

    def add(self, name: str, size: int) -> None:
        """Count a member.

        Raises:
            DataError: it, or all so far, are larger than in any official archive.
        """
        if size > LARGEST_MEMBER:
            raise DataError(
                f"{self._archive}: refused: {name} would have {size / 1e6:.0f} MB, more than any "
                "picture; this is not the official archive: download it again"
            )
        self._so_far += size
        self.check(self._so_far)

    def check(self, unpacked: int) -> None:
        """Compare what was unpacked, in bytes, with the limit.

        Raises:
            DataError: it is more.
        """
        if unpacked > self.total:
            raise DataError(
                f"{self._archive}: refused: it unpacks to more than {self.total / 1e9:.0f} GB, far "
                "more than its size; this is not the official archive: download it again"
            )
