"""Network disks that do not answer for a while: asked again, with longer and longer pauses."""

import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from oodbench.core.errors import DiskError

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two attempts."""

PASSING = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO),
        *(errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)
"""What a disk says that may answer in a moment; a file that is missing, or may not be read, is."""

T = TypeVar("T")


def patiently(action: Callable[[], T], path: Path) -> T:
    """What an action on a file gives, tried again while its disk does not answer.

    Args:
        action: may be done again.
        path: of the file, for messages.

    Raises:
        DiskError: the disk has not answered for half a minute.
        OSError: another one than of `PASSING`.
    """
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if error.errno not in PASSING:
                raise
            log.warning("%s: %s: tried again in %g s", path, error.strerror, pause)
            time.sleep(pause)
    try:
        return action()
    except OSError as error:
        if error.errno not in PASSING:
            raise
        raise DiskError(
            f"{path}: {error.strerror}, after {len(PAUSES) + 1} attempts in {sum(PAUSES):.0f} s: "
            "see to the disk; the same command goes on from there"
        ) from error
