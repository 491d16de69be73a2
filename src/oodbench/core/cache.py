"""What is kept between runs and can always be recomputed: where it is, and how it is read."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oodbench.core.files import digest, read_json, write_json


def cache_directory() -> Path:
    """Folder of facts that take time to find (weights hashes, file lists): safe to delete."""
    if named := os.environ.get("OODBENCH_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "oodbench"


def cached_json(path: Path, make: Callable[[], Any]) -> Any:
    """Content of a cache file, made where it is missing. An unwritable cache is no error."""
    found = read_json(path)
    if found is not None:
        return found
    made = make()
    try:
        write_json(path, made)
    except OSError:
        return made
    return made


def remembered_digest(path: Path, algorithm: str) -> str:
    """Checksum in hex, remembered for the very file: by path, inode, size and both its times.

    The time of its contents can be set to anything, as tools that copy files do; the other one, of
    the last change of anything, cannot.
    """
    status = path.stat()
    file = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    stamp = "\n".join([str(path.resolve()), *map(str, file), algorithm])
    entry = cache_directory() / "hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()}.json"
    return str(cached_json(entry, lambda: digest(path, algorithm)))
