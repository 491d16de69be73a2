"""How numbers and lists stand in a sentence."""

from collections.abc import Sequence

_NAMED = 3


def counted(n: int, what: str) -> str:
    """A number with its noun, in the plural where it needs one."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def listed(names: Sequence[str], most: int = _NAMED) -> str:
    """The first names, and an ellipsis for those that are left out."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
