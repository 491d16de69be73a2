"""Progress through large files."""

from oodbench.core.progress import Progress

_MB = 10**6


class MegaBytes(Progress):
    """Progress in megabytes.

    Args:
        total: bytes.
        label: what is being done.
    """

    def __init__(self, total: int, label: str) -> None:
        super().__init__(max(1, total // _MB), label, "MB")
        self._bytes = 0

    def add(self, n: int) -> None:
        """Count `n` more bytes."""
        before = self._bytes // _MB
        self._bytes += n
        if self._bytes // _MB > before:
            self.advance(self._bytes // _MB - before)
