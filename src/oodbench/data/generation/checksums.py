"""Checksums of a folder's files, as `sha256sum` writes them: recorded as files are written."""

import re
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TextIO

from oodbench.core.files import digest, write_text
from oodbench.data.manifest import CHECKSUMS

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class ChecksumLogs:
    """Records checksums in the `SHA256SUMS` of any number of folders; a context manager.

    What is lost when the process is killed, `settle` reads again.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._logs: dict[Path, TextIO] = {}

    def note(self, folder: Path, file: str, checksum: str) -> None:
        """Of a file that lies below the folder."""
        if folder not in self._logs:
            log = self._stack.enter_context((folder / CHECKSUMS).open("a", encoding="utf-8"))
            log.write("\n")  # ends a line that a killed run broke off
            self._logs[folder] = log
        self._logs[folder].write(f"{checksum}  {file}\n")

    def __enter__(self) -> "ChecksumLogs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


def settle(folder: Path, suffix: str) -> str:
    """Write the checksums of all files, sorted; files without a record are read for it.

    Args:
        folder: of class folders.
        suffix: of the files.

    Returns:
        sha256 of the `SHA256SUMS` that `sha256sum --check` takes.
    """
    noted = _noted(folder / CHECKSUMS)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob(f"*/*{suffix}"))
    lines = [f"{noted.get(path) or digest(folder / path, 'sha256')}  {path}\n" for path in paths]
    text = "".join(lines)
    write_text(folder / CHECKSUMS, text)
    return sha256(text.encode("utf-8")).hexdigest()


def _noted(path: Path) -> dict[str, str]:
    """Checksum by file; of several, the last one."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    return {match[2]: match[1] for match in map(_LINE.fullmatch, text.splitlines()) if match}
