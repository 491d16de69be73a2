"""Large files over HTTP: resumed after an interruption, whole or not there. Imports no torch."""

import fcntl
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from oodbench.core.files import write_text

log = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds without a byte after which the connection counts as lost."""

_PIECE = 1 << 20
_RANGE_REFUSED = 416


def download(url: str, target: Path, *, check: Callable[[Path], None]) -> None:
    """Fetch a file; an interrupted download is resumed.

    What has arrived stays beside the target as a hidden `.part` file. It is continued only where
    the server names the same version of the file as before, else the download starts over. Two
    processes that want one file do not both fetch it. Proxies are those of the environment.

    Args:
        url: http, https or file.
        target: appears once the file is whole and checked.
        check: called with the whole file under its temporary name; where it raises, the file is
            removed.

    Raises:
        OSError: no connection, or one that ended early.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with part.open("ab") as file:
        _wait_for_other_process(file, target)
        try:
            if not target.is_file():
                _fetch(url, file, _version_file(part), target.name)
                _finish(file, part, target, check)
        finally:
            if target.is_file() or not part.is_file() or part.stat().st_size == 0:
                part.unlink(missing_ok=True)
                _version_file(part).unlink(missing_ok=True)


def _finish(file: IO[bytes], part: Path, target: Path, check: Callable[[Path], None]) -> None:
    file.flush()
    os.fsync(file.fileno())
    try:
        check(part)
    except BaseException:
        part.unlink()
        raise
    part.chmod(0o644)
    part.replace(target)


def _version_file(part: Path) -> Path:
    """Beside the part: the server's name for the version that the part is of."""
    return part.with_name(f"{part.name}.version")


def _wait_for_other_process(file: IO[bytes], target: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("%s: another process is fetching it: waiting", target)
        fcntl.flock(file, fcntl.LOCK_EX)


def _fetch(url: str, file: IO[bytes], version_file: Path, label: str) -> None:
    version = version_file.read_text() if version_file.is_file() else ""
    headers = {"User-Agent": "oodbench"}
    start = os.fstat(file.fileno()).st_size
    if start and version:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code != _RANGE_REFUSED:
            raise
        file.truncate(0)
        _fetch(url, file, version_file, label)
        return
    with response:
        if response.status != 206:
            file.truncate(0)
            start = 0
            write_text(version_file, _version(response.headers))
        _copy(response, file, start, label)


def _version(headers: Mapping[str, str]) -> str:
    """A strong ETag, or the time of change; empty where the server names neither."""
    etag = headers.get("ETag", "")
    if etag.startswith("W/"):
        etag = ""
    return etag or headers.get("Last-Modified", "")


def _copy(response: Any, file: IO[bytes], start: int, label: str) -> None:
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    if not sys.stderr.isatty():
        size = "" if total is None else f", {total / 1e6:.0f} MB"
        log.info("fetching %s%s%s", label, size, f", from {start / 1e6:.0f} MB on" if start else "")
    with tqdm(
        desc=label,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        disable=not sys.stderr.isatty(),
        leave=False,
    ) as bar:
        while piece := response.read(_PIECE):
            file.write(piece)
            bar.update(len(piece))
            start += len(piece)
    file.flush()
    if total is not None and start < total:
        raise OSError(
            f"the connection ended after {start} of {total} bytes; the same command goes on"
        )
