"""File lists of class folders: found, checked, fingerprinted, in the one order of all runs."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from oodbench.core.cache import cache_directory, keep, kept
from oodbench.core.errors import DataError
from oodbench.data.containers.opened import look_again, stamp_of
from oodbench.data.entries import entries, files, is_dead_link, is_folder, say_dead_links
from oodbench.data.file_names import CLIP_SUFFIXES as CLIP_SUFFIXES
from oodbench.data.file_names import PICTURE_SUFFIXES as PICTURE_SUFFIXES

RACY_SECONDS = 2.0
"""A folder changed so recently may change again within one tick of its clock: not cached."""


_anew: ContextVar[bool] = ContextVar("_anew", default=False)


@dataclass(frozen=True)
class Folder:
    """Files of one class folder: names in bytewise order, and their sizes."""

    name: str
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Summary:
    """What a finished run needs to know of a data set: how many files and their fingerprint."""

    n_files: int
    fingerprint: str


@dataclass(frozen=True)
class Listing:
    """Class folders that are counted without being listed, and listed once their files are needed.

    Attributes:
        root: the data set's folder.
        names: of its class folders on disk, whose modification times are watched.
        variant: what else the files depend on (which classes, which positions).
        look: lists the folders.
        summary: of what was there when they were counted.
    """

    root: Path
    names: Sequence[str]
    variant: str
    look: Callable[[], Sequence[Folder]]
    summary: Summary

    @classmethod
    def counted(
        cls, root: Path, names: Sequence[str], variant: str, look: Callable[[], Sequence[Folder]]
    ) -> "Listing":
        """The listing of what is there now; see `Listing`."""
        summary = cached_summary(root, names, variant, lambda: summarise(look()))
        return cls(root, names, variant, look, summary)

    def folders(self) -> Sequence[Folder]:
        """The folders with their files.

        Raises:
            DataError: files were added, removed or renamed since they were counted, so that places
                in their order no longer stand for the same files.
        """
        folders = self.look()
        if not self._are_counted(folders):
            raise DataError(
                f"{self.root}: files were added, removed or renamed since the run began: once "
                "nothing changes any more, give the same command again"
            )
        return folders

    def _are_counted(self, folders: Sequence[Folder]) -> bool:
        if sum(len(folder.files) for folder in folders) != self.summary.n_files:
            return False
        try:
            now = cached_summary(self.root, self.names, self.variant, lambda: summarise(folders))
        except OSError:  # a class folder is gone
            return False
        return now == self.summary


def list_folders(
    root: Path, suffixes: frozenset[str], among: Collection[str] | None = None
) -> list[Folder]:
    """Class folders of `root` in bytewise order, each with its files of these suffixes (any case).

    Args:
        root: folder of the class folders.
        suffixes: with the dot, lower case.
        among: only folders of these names; None: all.

    Raises:
        DataError: root is missing, is flat, has no class folder, or has an empty one.
    """
    names = [name for name in _folder_names(root, suffixes) if among is None or name in among]
    folders = [Folder(name, files(root / name, suffixes)) for name in names]
    empty = [folder.name for folder in folders if not folder.files]
    if empty:
        raise DataError(
            f"{root / empty[0]}: class folder without pictures ({len(empty)} such); "
            "unpack the archive again, or remove the folder and set data.allow_partial=true"
        )
    return folders


def summarise(folders: Sequence[Folder]) -> Summary:
    """Number of files and sha256 over the sorted relative paths and sizes."""
    digest = hashlib.sha256()
    n_files = 0
    # Folder by folder, in the order that all lines together would have.
    for folder in sorted(folders, key=lambda folder: f"{folder.name}/"):
        lines = sorted(f"{folder.name}/{name}\0{size}\n" for name, size in folder.files)
        for line in lines:
            digest.update(line.encode("utf-8", "surrogateescape"))
        n_files += len(lines)
    return Summary(n_files, digest.hexdigest())


def cached_summary(
    root: Path, names: Sequence[str], variant: str, compute: Callable[[], Summary]
) -> Summary:
    """Summary of a data set, remembered as long as no folder of it changes.

    Args:
        root: the data set's folder.
        names: its class folders, whose modification times are watched.
        variant: what else the summary depends on (which classes, which positions).
        compute: makes the summary.
    """
    state, times = _state(root, names)
    signature = hashlib.sha256(
        "\n".join([variant, *state]).encode("utf-8", "surrogateescape")
    ).hexdigest()
    place = hashlib.sha256(os.fsencode(f"{root.resolve()}\0{variant}")).hexdigest()[:24]
    path = cache_directory() / "listings" / f"{place}.json"
    stored = None if _anew.get() else kept(path)
    if stored is not None and stored["signature"] == signature:
        return Summary(stored["n_files"], stored["fingerprint"])
    summary = compute()
    if times and time.time() - max(times) / 1e9 > RACY_SECONDS:
        keep(path, {"root": str(root), "signature": signature, **vars(summary)})
    return summary


@contextmanager
def listed_anew() -> Iterator[None]:
    """Have listings made again: a file that is overwritten in place leaves its folder's time."""
    token = _anew.set(True)
    try:
        yield
    finally:
        _anew.reset(token)


def _state(root: Path, names: Sequence[str]) -> tuple[list[str], list[int]]:
    """What changes when a folder does, or the container that it is in; and the times, ns."""
    if (stamp := stamp_of(root)) is not None:
        return [stamp.text], [stamp.newest]
    times = [(root / name).stat().st_mtime_ns for name in names]
    return list(map("{}\0{}".format, names, times)), times


class ListedFile(NamedTuple):
    """A file of a class folder; its size in bytes."""

    folder: str
    name: str
    size: int


def round_robin(folders: Sequence[Folder]) -> Sequence[ListedFile]:
    """The first file of every class, then the second of every class, …"""
    return _RoundRobin(folders)


class _RoundRobin(Sequence[ListedFile]):
    """Makes each on demand; beside the folders it keeps eight bytes per file."""

    def __init__(self, folders: Sequence[Folder]) -> None:
        longest = max((len(folder.files) for folder in folders), default=0)
        places = (
            (number, position)
            for position in range(longest)
            for number, folder in enumerate(folders)
            if position < len(folder.files)
        )
        self._folders = folders
        self._places = np.fromiter(chain.from_iterable(places), np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, position: int) -> ListedFile: ...

    @overload
    def __getitem__(self, position: slice) -> list[ListedFile]: ...

    def __getitem__(self, position: int | slice) -> ListedFile | list[ListedFile]:
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        number, place = self._places[position].tolist()
        folder = self._folders[number]
        return ListedFile(folder.name, *folder.files[place])


def even_positions(folders: Sequence[Folder]) -> list[Folder]:
    """Files at positions 0, 2, 4, … of the folder order, as the published attack chose them."""
    kept = []
    position = 0
    for folder in folders:
        first = position % 2
        position += len(folder.files)
        files = folder.files[first::2]
        if files:
            kept.append(Folder(folder.name, files))
    return kept


def folder_names(root: Path) -> list[str]:
    """Names of the folders in `root`, bytewise; hidden ones and those of systems left out.

    Links that lead nowhere, which may have stood for folders, are named once.

    Raises:
        DataError: root is missing, may not be read or is not a folder.
    """
    look_again(root)
    try:
        with entries(root) as found:
            listed = list(found)
        if dead := [entry.name for entry in listed if is_dead_link(entry)]:
            say_dead_links(root, dead)
        return sorted(entry.name for entry in listed if is_folder(entry))
    except (FileNotFoundError, NotADirectoryError):
        if not root.exists():
            raise DataError(
                f"{root}: no such folder; set data.root=DIR (or OODBENCH_DATA_ROOT), or "
                f"benchmark.root=DIR; {_nearest(root)}"
            ) from None
        raise DataError(
            f"{root}: is a file, not a folder, nor a .zip, .tar, .csv, .parquet or .arrow file, "
            "which could be read as it is; unpack it and name the folder"
        ) from None


def _nearest(root: Path) -> str:
    for parent in root.parents:
        if parent.is_dir():
            found = sorted(path.name for path in parent.iterdir() if not path.name.startswith("."))
            listed = ", ".join(found[:8]) + (", …" if len(found) > 8 else "")
            return f"{parent} holds: {listed or 'nothing'}"
    return "no parent folder exists"


def _folder_names(root: Path, suffixes: frozenset[str]) -> list[str]:
    names = folder_names(root)
    if names:
        return names
    flat = files(root, suffixes)
    if flat:
        raise DataError(
            f"{root}: flat, {len(flat)} files and no class folders; sort them into <synset id>/ "
            "folders (n01440764, …) with the devkit's ground truth"
        )
    raise DataError(f"{root}: empty; expected class folders named by synset id (n01440764, …)")
