"""Errors that a user can fix: each message is one line, with the file or key and the remedy."""

import errno
import os

_OF_FILES = {
    errno.EACCES: "change the mode of the file or folder",
    errno.EDQUOT: "make room, or use another folder",
    errno.EEXIST: "something of another kind is there: remove it",
    errno.EISDIR: "a folder is in the place of a file: remove it",
    errno.ELOOP: "links lead in a circle: remove them",
    errno.ENAMETOOLONG: "use shorter names",
    errno.ENOENT: "make the folder, or name another one",
    errno.ENOSPC: "make room, or use another folder",
    errno.ENOTDIR: "a file is in the place of a folder: remove it, or name another folder",
    errno.EPERM: "change the owner of the file or folder",
    errno.EROFS: "use a folder that can be written",
}
"""What a user can do about an error of the system that names a file."""


class OodbenchError(Exception):
    """Base of every error that is reported as one line, without a traceback."""


class ConfigError(OodbenchError):
    """A config key or value is wrong."""


class MemoryShortage(ConfigError):
    """The machine or a card has no room for what was asked."""


class DataError(OodbenchError):
    """A data set or one of its files is missing, incomplete or unreadable."""


class DiskError(OodbenchError):
    """A disk does not answer, or is gone: nothing is known of its files, so none is left out."""


class WeightsError(OodbenchError):
    """Weights are missing, have the wrong hash, or do not fit the network."""


class AttackError(OodbenchError):
    """An attack broke a promise: its result left the ball or the pixel range."""


class OutputError(OodbenchError):
    """What a network returned for a picture is no answer."""


def printable(text: str) -> str:
    """Text that any file or terminal of UTF-8 takes: other bytes of file names as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


def visible(text: str) -> str:
    """As `printable`, with line ends and control characters as escapes."""
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode()
        for mark in printable(text)
    )


def one_line(error: BaseException, most: int | None = None) -> str:
    """Everything that an error says, on one line; the name of its class where it says nothing.

    Args:
        most: characters; what is longer is cut.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    return said if most is None or len(said) <= most else f"{said[: most - 1]}…"


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the name of its class where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def is_mendable(error: BaseException) -> bool:
    """Whether the user can mend it: an `OodbenchError`, or a file that the system refuses."""
    if isinstance(error, OodbenchError):
        return True
    return isinstance(error, OSError) and error.errno in _OF_FILES and error.filename is not None


def cause_of(error: BaseException) -> str:
    """Why a run failed: `memory`, `disk`, `mistake` (the user can mend it) or `fault`."""
    if isinstance(error, MemoryShortage | MemoryError):
        return "memory"
    if isinstance(error, DiskError):
        return "disk"
    return "mistake" if is_mendable(error) else "fault"


def failure_line(error: BaseException) -> str:
    """The first line, for a list of failures; with its class where it is not mendable."""
    if isinstance(error, OSError) and is_mendable(error):
        name = printable(os.fsdecode(error.filename))
        return f"{name}: {error.strerror}: {_OF_FILES[error.errno or 0]}"
    said = printable(first_line(error))
    name = type(error).__name__
    return said if isinstance(error, OodbenchError) or said == name else f"{name}: {said}"
