"""What is kept between runs and can always be recomputed: where it is, and how it is read."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oodbench.core.checksum import CHECKSUM, agrees, write_checked
from oodbench.core.files import atomic_path, digest, read_json

log = logging.getLogger(__name__)

_CONTENT = "content"
_HASHES = "hashes-2"
"""Before, without a number, files held the bare checksum."""

_SHA256_BYTES = 32


def cache_directory() -> Path:
    """Folder of facts that take time to find (weights hashes, file lists): safe to delete."""
    if named := os.environ.get("OODBENCH_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "oodbench"


def kept(path: Path) -> Any:
    """Content of a cache file, None where there is none, or none as it was written."""
    try:
        stored = read_json(path)
    except OSError as error:
        log.debug("%s: not read: %s", path, error)
        return None
    sound = isinstance(stored, dict) and CHECKSUM in stored and agrees(stored)
    return stored.get(_CONTENT) if sound else None


def keep(path: Path, content: Any) -> None:
    """Write a cache file, with its checksum. One that cannot be written is no error.

    Args:
        path: of the file.
        content: JSON, not null.
    """
    try:
        write_checked(path, {_CONTENT: content})
    except OSError as error:
        log.debug("%s: not kept: %s", path, error)


def cached_json(path: Path, make: Callable[[], Any]) -> Any:
    """Content of a cache file, made where it is missing or damaged."""
    found = kept(path)
    if found is not None:
        return found
    made = make()
    keep(path, made)
    return made


def kept_bytes(path: Path) -> bytes | None:
    """Content that `keep_bytes` wrote, None where there is none, or none as it was written."""
    try:
        stored = path.read_bytes()
    except OSError as error:
        log.debug("%s: not read: %s", path, error)
        return None
    content = stored[_SHA256_BYTES:]
    return content if hashlib.sha256(content).digest() == stored[:_SHA256_BYTES] else None


def keep_bytes(path: Path, content: bytes) -> None:
    """Write a cache file of any bytes, behind their sha256; one that cannot be is no error."""
    try:
        with atomic_path(path) as part:
            part.write_bytes(hashlib.sha256(content).digest() + content)
    except OSError as error:
        log.debug("%s: not kept: %s", path, error)


def remembered_digest(path: Path, algorithm: str) -> str:
    """Checksum in hex, remembered for the very file: by path, inode, size and both its times.

    The time of its contents can be set to anything, as tools that copy files do; the other one, of
    the last change of anything, cannot.
    """
    status = path.stat()
    file = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    stamp = "\n".join([str(path.resolve()), *map(str, file), algorithm])
    entry = cache_directory() / _HASHES / f"{hashlib.sha256(os.fsencode(stamp)).hexdigest()}.json"
    return str(cached_json(entry, lambda: digest(path, algorithm)))
