"""Exported models on disk, made once for a network, a size and versions of the libraries."""

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from oodbench.core.files import digest, read_json, write_json
from oodbench.core.versions import versions

_SUMS = "sha256.json"
_KEY = "key.json"
_PART = ".part-"
_LEFT_OVER = 86_400
"""Seconds after which an unfinished folder is nobody's."""

_ROOM = 1.2
_LIBRARIES = ("oodbench", "torch", "timm")

log = logging.getLogger(__name__)


class ExportStore:
    """A folder of exported models, one folder each, safe with several processes.

    Args:
        directory: created with the first model.
        model_identity: everything that the network is made of, its weights among it; None where
            that is unknown: then nothing is kept.
    """

    def __init__(self, directory: Path, model_identity: str | None) -> None:
        self.directory = directory
        self.model_identity = model_identity

    def get(
        self,
        make: Callable[[Path], None],
        *,
        libraries: tuple[str, ...],
        facts: dict[str, Any],
        size: int,
    ) -> Path:
        """A folder with what `make` writes; a damaged one is made again.

        Args:
            make: writes the exported model's files into the empty folder that it is given.
            libraries: packages whose versions the files depend on, besides PyTorch.
            facts: what else they depend on, JSON.
            size: bytes that the files will take, about.

        Returns:
            The folder. Of a model without identity a temporary one, gone when the process ends; so
            also where the store cannot be written to or the disk is full.

        Raises:
            OSError: no room in the folder of temporary files either.
        """
        if self.model_identity is None:
            return _made(make, Path(_scratch.name), size)
        key = {
            "model": self.model_identity,
            "versions": versions((*_LIBRARIES, *libraries)),
            **facts,
        }
        text = json.dumps(key, sort_keys=True)
        folder = self.directory / hashlib.sha256(text.encode()).hexdigest()[:24]
        if _is_whole(folder, key):
            return folder
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(self.directory)
            made = _made(make, self.directory, size)
            _seal(made, key)
        except OSError as error:
            log.warning("%s: the exported model is not kept: %s", self.directory, error)
            return _made(make, Path(_scratch.name), size)
        return _moved(made, folder, key)


class _Scratch:
    """A folder that is removed when the process ends; created at the first use."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def name(self) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="oodbench-engine-")
        return self._folder.name

    def remove(self) -> None:
        """Remove it, if it was used."""
        if self._folder is not None:
            with suppress(OSError):  # of a thread that still writes into it
                self._folder.cleanup()
            self._folder = None


_scratch = _Scratch()


def remove_scratch() -> None:
    """Remove what only this process uses, where it ends without the interpreter's own tidying."""
    _scratch.remove()


def _made(make: Callable[[Path], None], parent: Path, size: int) -> Path:
    """Check for room first: not all of the libraries notice that a disk is full."""
    free = shutil.disk_usage(parent).free
    if free < _ROOM * size:
        raise OSError(errno.ENOSPC, f"{free / 2**30:.1f} GiB free, {size / 2**30:.1f} needed")
    folder = Path(tempfile.mkdtemp(prefix=_PART, dir=parent))
    try:
        make(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _remove_leftovers(directory: Path) -> None:
    """Of processes that were killed."""
    for folder in directory.glob(f"{_PART}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_OVER:
                shutil.rmtree(folder, ignore_errors=True)


def _seal(folder: Path, key: dict[str, Any]) -> None:
    """Checksums beside the files, all of it on the disk before the folder gets its name."""
    for file in folder.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    write_json(folder / _SUMS, {file.name: digest(file, "sha256") for file in _files(folder)})
    write_json(folder / _KEY, key)
    folder.chmod(0o755)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name not in (_SUMS, _KEY))


def _is_whole(folder: Path, key: dict[str, Any]) -> bool:
    sums = read_json(folder / _SUMS)
    if not isinstance(sums, dict) or read_json(folder / _KEY) != key:
        return False
    files = _files(folder)
    if {file.name for file in files} != set(sums):
        return False
    return all(digest(file, "sha256") == sums[file.name] for file in files)


def _moved(made: Path, folder: Path, key: dict[str, Any]) -> Path:
    """Give the folder its name; another process may have been first."""
    try:
        made.rename(folder)
        return folder
    except OSError:  # the name is taken, by a whole folder or by a damaged one
        if _is_whole(folder, key):
            shutil.rmtree(made, ignore_errors=True)
            return folder
    aside = Path(tempfile.mkdtemp(prefix=_PART, dir=folder.parent))
    try:
        folder.rename(aside / folder.name)
        made.rename(folder)
    except OSError:  # another process again
        return folder if _is_whole(folder, key) else made
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder
