"""Texts that many runs share, each held once."""

from oodbench.core.errors import printable


class Texts:
    """Numbers texts in the order in which they come; the same text has one number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The place of the text in `all`."""
        return self._numbers.setdefault(printable(text), len(self._numbers))

    @property
    def all(self) -> list[str]:
        """The texts by their numbers."""
        return list(self._numbers)
