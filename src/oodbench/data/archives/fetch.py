"""Downloads of archives: side by side, resumed, from mirrors where the authors' copy fails."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urlsplit

from oodbench.core.download import download, total_size
from oodbench.core.errors import DataError, one_line
from oodbench.data.archives.megabytes import MegaBytes
from oodbench.data.archives.space import check_space
from oodbench.data.archives.sums import check_size, check_sum
from oodbench.data.archives.web_page import page_error, refuse_web_page
from oodbench.data.sets.facts import Archive

WAITS = (1.0, 3.0, 10.0, 30.0)
"""Seconds before each further try of an address from which nothing more has come."""

AT_ONCE = 4
"""Archives that are fetched side by side: more would crowd the authors' servers."""

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of HTTP after which the same question may be asked again."""


def fetch_archives(
    archives: Sequence[Archive], folder: Path, report: Callable[[str], None] = print
) -> None:
    """Download what is missing; what has arrived of an interrupted download is kept.

    Sizes and sums are compared with the published ones before a file gets its name. Lost
    connections are taken up again. Ctrl-C ends the process at once.

    Args:
        archives: with their addresses.
        folder: that they go to.
        report: called with a line for each archive.

    Raises:
        DataError: no address gave the right file, or there is too little room; all others have
            been fetched.
    """
    missing = []
    for archive in archives:
        if (folder / archive.file).is_file():
            check_size(archive, folder / archive.file)
            report(f"{archive.file}: there already")
        else:
            missing.append(archive)
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    check_space(sum(archive.bytes or 0 for archive in missing), folder, present=folder)
    failed = [reason for reason in _side_by_side(missing, folder, report) if reason]
    if failed:
        raise DataError("; ".join(failed))


def _side_by_side(
    archives: Sequence[Archive], folder: Path, report: Callable[[str], None]
) -> Sequence[str | None]:
    """Why each of them failed; None where it did not."""
    reasons: list[str | None] = ["interrupted"] * len(archives)
    waiting = iter(enumerate(archives))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                taken = next(waiting, None)
            if taken is None:
                return
            number, archive = taken
            try:
                fetch_archive(archive, folder / archive.file)
                report(f"{archive.file}: fetched, {_compared(archive)}")
                reasons[number] = None
            except (DataError, OSError) as error:
                reasons[number] = one_line(error)

    # Threads of a pool would be waited for after Ctrl-C, until their servers answer.
    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(archives)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reasons


def _compared(archive: Archive) -> str:
    kind = "sha256" if archive.sha256 else "md5" if archive.md5 else None
    return f"{kind} as published" if kind else "not compared: no published sum is known"


def fetch_archive(archive: Archive, target: Path) -> None:
    """Download one archive from the first of its addresses that has it.

    Args:
        archive: with its addresses.
        target: the file; it appears when it is whole and compared.

    Raises:
        DataError: none of the addresses has it, with the reason of each.
    """
    reasons = []
    for url in filter(None, [archive.url, *archive.mirrors]):
        try:
            _from(url, archive, target)
        except (DataError, OSError, HTTPException) as error:
            reasons.append(f"{urlsplit(url).netloc}: {one_line(error)}")
        else:
            return
    raise DataError(f"{archive.file}: not fetched: {'; '.join(reasons) or 'no address is known'}")


def _from(url: str, archive: Archive, target: Path) -> None:
    waits = iter(WAITS)
    while True:
        arrivals = _Arrivals(archive)
        try:
            download(url, target, check=lambda part: _check(archive, part, url), watch=arrivals)
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError) and error.code not in _TRANSIENT:
                raise
            if shutil.disk_usage(target.parent).free < 1 << 20:
                raise
            if arrivals.n:
                waits = iter(WAITS)
            _wait(waits, error)
        else:
            return
        finally:
            arrivals.close()


def _wait(waits: Iterator[float], error: Exception) -> None:
    """Before the next try.

    Raises:
        Exception: the error, where it is time to give up.
    """
    seconds = next(waits, None)
    if seconds is None:
        raise error
    time.sleep(seconds)


def _check(archive: Archive, part: Path, url: str) -> None:
    refuse_web_page(part, url)
    check_size(archive, part)
    check_sum(archive, part, lambda n: None)


class _Arrivals:
    """Counts what arrives, and refuses web pages before a byte of what is there is given up."""

    def __init__(self, archive: Archive) -> None:
        self.n = 0
        self._archive = archive
        self._progress: MegaBytes | None = None

    def answer(self, headers: Mapping[str, str], start: int) -> None:
        """Refuse what is not the archive; begin to show progress."""
        url = cast(str, self._archive.url)
        if headers.get("Content-Type", "").lower().startswith("text/html"):
            raise page_error(self._archive.file, url)
        size = self._archive.bytes or total_size(headers, start)
        stated = total_size(headers, start)
        if self._archive.bytes is not None and stated not in (None, self._archive.bytes):
            raise DataError(
                f"the server has {stated} bytes, the published file has {self._archive.bytes}"
            )
        self._progress = MegaBytes((size or start) - start, self._archive.file)

    def arrived(self, n: int) -> None:
        """Count bytes."""
        self.n += n
        if self._progress is not None:
            self._progress.add(n)

    def close(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
