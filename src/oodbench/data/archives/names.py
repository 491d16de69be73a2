"""Names of files inside archives: those that could lead out of a folder are refused."""

import unicodedata

from oodbench.core.errors import DataError, printable

LONGEST = 255
"""Bytes of one part of a path that file systems take."""


def safe_parts(name: str, archive: str) -> tuple[str, ...]:
    """The parts of a member's name, without `.` and empty ones.

    Args:
        name: as the archive has it.
        archive: for messages.

    Raises:
        DataError: the name is absolute, climbs with `..`, holds a control character, a backslash
            or bytes that are no text, or a part is too long.
    """
    reason = _reason(name)
    if reason:
        raise DataError(
            f"{archive}: refused: the member {shown(name)} {reason}; this is not the official "
            "archive: download it again"
        )
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _reason(name: str) -> str | None:
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        return "has a control character or no text in its name"
    if name.startswith("/") or name[1:2] == ":":
        return "has an absolute path"
    if "\\" in name:
        return "has a backslash in its name"
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the folder"
    if any(len(part.encode()) > LONGEST for part in parts):
        return "has too long a name"
    return None


def shown(name: str) -> str:
    """A name for a message: on one line, and not longer than one reads."""
    text = printable(repr(name))
    return text if len(text) <= 80 else f"{text[:79]}…"
