"""Checksums of large files, computed once."""

import hashlib
from pathlib import Path

from oodbench.core.files import cached_json, digest
from oodbench.runs.paths import cache_directory


def remembered_digest(path: Path, algorithm: str) -> str:
    """Checksum in hex, remembered by path, size and time of change."""
    status = path.stat()
    stamp = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{algorithm}"
    entry = cache_directory() / "hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()}.json"
    return str(cached_json(entry, lambda: digest(path, algorithm)))
