"""Files that were decoded and found sound, remembered from one command to the next."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from oodbench.core.cache import cache_directory
from oodbench.data.read_files import FileState


class SoundFile(NamedTuple):
    """A file as it was when it was decoded.

    Attributes:
        path: of the file.
        state: its time and size.
        sha256: that it was compared with, hexadecimal; "" where none was known.
    """

    path: str
    state: FileState
    sha256: str


class SoundFiles:
    """The sound files of a split: a file of the user's cache that only grows, one line each.

    A line that a kill has cut off is passed over, and so is a cache that cannot be written: both
    cost time alone.

    Args:
        root: of the split.
        name: of the split.
        size: height and width that its pictures were compared with; None: with none.
    """

    def __init__(self, root: Path, name: str, size: Sequence[int] | None) -> None:
        place = f"{root.resolve()}\0{name}\0{size and list(size)}"
        digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:24]
        self._file = cache_directory() / "decoded" / f"{digest}.jsonl"
        self._known = set(self._read())

    def __contains__(self, file: SoundFile) -> bool:
        return file in self._known

    def add(self, files: Sequence[SoundFile]) -> None:
        """Remember files."""
        if not files:
            return
        self._known.update(files)
        text = "".join(f"{json.dumps([one.path, *one.state, one.sha256])}\n" for one in files)
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(text)

    def _read(self) -> Iterable[SoundFile]:
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            with suppress(ValueError, TypeError):
                path, modified, size, sha256 = json.loads(line)
                yield SoundFile(str(path), FileState(int(modified), int(size)), str(sha256))
