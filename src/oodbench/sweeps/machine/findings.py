"""What was found out about the machine, one line each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from oodbench.core.errors import failure_line

State = Literal["ok", "-", "bad"]
"""Works; is missing, and may be; is wrong, so that runs fail."""


@dataclass(frozen=True)
class Finding:
    """One thing.

    Attributes:
        name: what was looked at.
        state: see `State`.
        said: what was found.
        mend: a command, or what to do; "" where nothing is to be done.
    """

    name: str
    state: State
    said: str
    mend: str = ""


@dataclass(frozen=True)
class Part:
    """Findings under one heading."""

    title: str
    findings: tuple[Finding, ...]


def part(title: str, look: Callable[[], Iterable[Finding]]) -> Part:
    """The findings of one look, which never fails itself: an error is what was found."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except Exception as error:  # whatever a broken installation raises
        found.append(Finding(title, "bad", failure_line(error)))
    return Part(title, tuple(found))
