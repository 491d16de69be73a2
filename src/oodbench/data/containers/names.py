"""What members of a container may be called: nothing that would leave its folder if unpacked."""

import re
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.names import shown

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


def checked(name: str, file: Path) -> str:
    """The path of a member, without a leading `./`.

    Args:
        name: as the container has it.
        file: of the container, for the message.

    Raises:
        DataError: it is absolute, has `..`, an empty part, a backslash or a control character.
    """
    path = name
    while path.startswith("./"):
        path = path[2:]
    wrong = (
        "is absolute"
        if path.startswith("/") or _DRIVE.match(path)
        else "has a control character"
        if _CONTROL.search(path)
        else "has a backslash"
        if "\\" in path
        else "has an empty part, . or .."
        if any(part in ("", ".", "..") for part in path.split("/"))
        else ""
    )
    if wrong:
        raise DataError(f"{file}: {shown(name)}: the name {wrong}: pack the pictures again")
    return path
