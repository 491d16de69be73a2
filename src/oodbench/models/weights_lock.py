"""weights.lock.json: what a weights file was when it was first used.

Authors give eight digits of a checksum, or none. The whole one is recorded at the first use, beside
the weights, and every later use must be of the same file.
"""

import logging
from pathlib import Path
from typing import Any

from oodbench.core.errors import WeightsError
from oodbench.core.files import read_json, write_json

log = logging.getLogger(__name__)

LOCK_FILE = "weights.lock.json"


def recorded(directory: Path, source: str) -> dict[str, Any] | None:
    """`sha256` (hex) and `size` (bytes) of a source's file as first used, None where unknown."""
    content = read_json(directory / LOCK_FILE)
    entry = content.get(source) if isinstance(content, dict) else None
    return entry if isinstance(entry, dict) else None


def check_or_record(directory: Path, source: str, path: Path, sha256: str) -> None:
    """Compare a file with the lock, or add it there.

    Args:
        directory: folder of weights files (`weights.dir`), where the lock lies.
        source: where the file is from: a URL, or "hub:" and the repository.
        path: the file.
        sha256: of the file, in hex.

    Raises:
        WeightsError: the lock says that the source gave another file before.
    """
    entry = recorded(directory, source)
    if entry is None:
        _record(directory, source, {"sha256": sha256, "size": path.stat().st_size})
    elif entry.get("sha256") != sha256:
        lock = directory / LOCK_FILE
        raise WeightsError(
            f"{path}: sha256 {sha256}, but {lock} recorded {entry.get('sha256')} when {source} was "
            "first used: get the file again, or remove that entry to accept this one"
        )


def _record(directory: Path, source: str, entry: dict[str, Any]) -> None:
    lock = directory / LOCK_FILE
    content = read_json(lock)
    entries = content if isinstance(content, dict) else {}
    try:
        write_json(lock, dict(sorted({**entries, source: entry}.items())))
    except OSError as error:
        log.warning("%s: sha256 %s could not be recorded: %s", lock, entry["sha256"], error)
