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
    """Checksum in hex, remembered by path, size and time of change."""
    status = path.stat()
    stamp = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{algorithm}"
    entry = cache_directory() / "hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()}.json"
    return str(cached_json(entry, lambda: digest(path, algorithm)))
