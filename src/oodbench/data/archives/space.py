"""Whether there is room for what is about to be written."""

import os
import shutil
from pathlib import Path

from oodbench.core.errors import DataError

_SPARE = 1.05
"""File systems need some per cent more than the files hold."""


def check_space(needed: int, folder: Path, present: Path | None = None) -> None:
    """Compare with what is free.

    Args:
        needed: bytes of all files.
        folder: that they go below; it need not exist yet.
        present: a folder of those that an earlier run has written already.

    Raises:
        DataError: too little is free.
    """
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    wanted = needed * _SPARE
    if free >= wanted:
        return
    if present is not None:
        wanted -= _size(present)
    if free < wanted:
        raise DataError(
            f"{existing}: {free / 1e9:.1f} GB free, about {wanted / 1e9:.1f} GB needed: "
            "make room, or name another folder with --to"
        )


def _size(folder: Path) -> int:
    return sum(
        Path(path, name).lstat().st_size for path, _, names in os.walk(folder) for name in names
    )
