"""Large files over HTTP: resumed after an interruption, whole or not there. Imports no torch."""

import fcntl
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from oodbench.core.files import write_text

log = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds without a byte after which the connection counts as lost."""

_PIECE = 1 << 20
_RANGE_REFUSED = 416


class Watch(Protocol):
    """Sees what a server answers and what arrives, in place of the usual bar."""

    def answer(self, headers: Mapping[str, str], start: int) -> None:
        """Before any byte is written, and before what was there is given up.

        Args:
            headers: of the answer.
            start: bytes that were there and are kept.

        Raises:
            OodbenchError: this is not the file; what was there stays.
        """
        ...

    def arrived(self, n: int) -> None:
        """`n` more bytes are written."""
        ...


def download(
    url: str, target: Path, *, check: Callable[[Path], None], watch: Watch | None = None
) -> None:
    """Fetch a file; an interrupted download is resumed.

    What has arrived stays beside the target as a hidden `.part` file. It is continued only where
    the server names the same version of the file as before, else the download starts over. Two
    processes that want one file do not both fetch it. Proxies are those of the environment.

    Args:
        url: http, https or file.
        target: appears once the file is whole and checked.
        check: called with the whole file under its temporary name; where it raises, the file is
            removed.
        watch: sees what arrives; None: a bar, or a line.

    Raises:
        OSError: no connection, or one that ended early.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with part.open("ab") as file:
        _wait_for_other_process(file, target)
        try:
            if not target.is_file():
                _fetch(url, file, _version_file(part), watch or _Bar(target.name))
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


def _fetch(url: str, file: IO[bytes], version_file: Path, watch: Watch) -> None:
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
        _fetch(url, file, version_file, watch)
        return
    with response:
        start = start if response.status == 206 else 0
        watch.answer(response.headers, start)
        if not start:
            file.truncate(0)
            write_text(version_file, _version(response.headers))
        _copy(response, file, start, watch)


def _version(headers: Mapping[str, str]) -> str:
    """A strong ETag, or the time of change; empty where the server names neither."""
    etag = headers.get("ETag", "")
    if etag.startswith("W/"):
        etag = ""
    return etag or headers.get("Last-Modified", "")


def total_size(headers: Mapping[str, str], start: int) -> int | None:
    """Bytes of the whole file, None where the server does not say.

    Args:
        headers: of the answer.
        start: bytes that were there before.
    """
    length = headers.get("Content-Length")
    return None if length is None else start + int(length)


def _copy(response: Any, file: IO[bytes], start: int, watch: Watch) -> None:
    total = total_size(response.headers, start)
    while piece := response.read(_PIECE):
        file.write(piece)
        watch.arrived(len(piece))
        start += len(piece)
    file.flush()
    if total is not None and start < total:
        raise OSError(
            f"the connection ended after {start} of {total} bytes; the same command goes on"
        )


class _Bar:
    """A bar on a terminal, a line elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: tqdm[Any] | None = None

    def answer(self, headers: Mapping[str, str], start: int) -> None:
        total = total_size(headers, start)
        if not sys.stderr.isatty():
            size = "" if total is None else f", {total / 1e6:.0f} MB"
            begun = f", from {start / 1e6:.0f} MB on" if start else ""
            log.info("fetching %s%s%s", self._label, size, begun)
        self._bar = tqdm(
            desc=self._label,
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def arrived(self, n: int) -> None:
        assert self._bar is not None
        self._bar.update(n)
        if self._bar.total is not None and self._bar.n >= self._bar.total:
            self._bar.close()
