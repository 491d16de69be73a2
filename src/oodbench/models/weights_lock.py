"""weights.lock.json: what a weights file was when it was first used.

Authors give eight digits of a checksum, or none. The whole one is recorded at the first use, beside
the weights, and every later use must be of the same file. What was recorded is never forgotten: a
damaged lock is refused, and processes that record at once wait for each other. Each entry has a
checksum of its own, so that one can be removed by hand and a damaged one is not taken for no entry.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodbench.core.checksum import checksum
from oodbench.core.errors import WeightsError
from oodbench.core.files import locked, read_json, write_json

log = logging.getLogger(__name__)

LOCK_FILE = "weights.lock.json"

_CHECK = "check"
"""Field of an entry that holds its checksum; entries of earlier versions have none."""


def check_or_record(directory: Path, source: str, path: Path, sha256: str) -> None:
    """Compare a file with the lock, or add it there.

    Args:
        directory: folder of weights files (`weights.dir`), where the lock lies.
        source: where the file is from: a URL, or "hub:" and the repository.
        path: the file.
        sha256: of the file, in hex.

    Raises:
        WeightsError: the lock says that the source gave another file before, or is damaged.
    """
    lock = directory / LOCK_FILE
    recorded = _recorded(lock, source)
    if recorded is None:
        recorded = _record(lock, source, {"sha256": sha256, "size": path.stat().st_size})
    if recorded != sha256:
        raise WeightsError(
            f"{path}: sha256 {sha256}, but {lock} recorded {recorded} when {source} was first "
            "used: get the file again, or remove that entry to accept this one"
        )


def _record(lock: Path, source: str, entry: dict[str, Any]) -> str:
    """Enter a source unless another process has done so meanwhile; the sha256 that stands then."""
    own = str(entry["sha256"])
    try:
        with locked(lock):
            recorded = _recorded(lock, source)
            if recorded is None:
                sealed = {**entry, _CHECK: _checksum(source, entry)}
                write_json(lock, dict(sorted({**_entries(lock), source: sealed}.items())))
    except OSError as error:
        log.warning("%s: sha256 %s could not be recorded: %s", lock, own, error)
        return own
    return recorded or own


def _recorded(lock: Path, source: str) -> str | None:
    """sha256 (hex) of a source's file as first used, None where unknown."""
    entry = _entries(lock).get(source)
    return None if entry is None else str(entry["sha256"])


def _entries(lock: Path) -> dict[str, dict[str, Any]]:
    """All that is recorded, by source.

    Raises:
        WeightsError: it cannot be read, or any entry is damaged: it may be of any source.
    """
    try:
        content = read_json(lock) if lock.exists() else {}
    except OSError as error:
        raise WeightsError(f"{lock}: cannot be read: {error.strerror}") from error
    if not isinstance(content, dict):
        raise _damaged(f"{lock}: damaged", "it")
    for source, entry in content.items():
        if not _is_sound(source, entry):
            raise _damaged(f"{lock}: the entry {source!r} is damaged", "that entry")
    return content


def _is_sound(source: str, entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
        return False
    return set(entry) <= {"sha256", "size"} or entry.get(_CHECK) == _checksum(source, entry)


def _checksum(source: str, entry: Mapping[str, Any]) -> str:
    """Of an entry without its checksum, in hex."""
    return checksum({source: {name: value for name, value in entry.items() if name != _CHECK}})


def _damaged(what: str, part: str) -> WeightsError:
    return WeightsError(
        f"{what}, so nobody knows which weights were used first: restore the file, or remove "
        f"{part} to accept the files that are there now"
    )
