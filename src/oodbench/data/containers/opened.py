"""Paths that lead into containers: what is found there, listed and read.

A container that was found is known to the process by its path; its index is in the cache of the
user. No file stays open between two calls, so that threads and forked processes share nothing.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from oodbench.core.errors import DataError
from oodbench.data.containers.base import Choices, Container, Member
from oodbench.data.containers.index import Index, keep_index, kept_index
from oodbench.data.containers.kinds import kind_of
from oodbench.data.containers.labels import chosen_classes

log = logging.getLogger(__name__)

LARGE = 1 << 30
"""Bytes of a container from which on it is said that it is indexed, which takes a while."""


class Stamp(NamedTuple):
    """The state of a container.

    Attributes:
        text: another one for other files, or the same ones changed.
        newest: the latest time of its files, in nanoseconds.
    """

    text: str
    newest: int


class MemberBytes(NamedTuple):
    """What a member holds, and the time of the file that it is in, nanoseconds."""

    content: bytes
    modified: int


@dataclass(frozen=True)
class _Opened:
    """A container and its index.

    Attributes:
        states: time and size of each file when it was indexed.
    """

    path: str
    container: Container
    stamp: Stamp
    states: list[tuple[int, int]]
    index: Index

    def is_current(self, file: int) -> bool:
        """Whether a file is the one that was indexed."""
        return _state(self.container.files[file]) == self.states[file]


_lock = threading.RLock()
_chosen: dict[Path, Choices] = {}
_known: dict[str, _Opened] = {}
"""By the paths of containers."""

_folders: dict[str, tuple[str, str]] = {}
"""Of paths that were asked for: the container, and the folder in it."""


def choose(root: Path, choices: Choices) -> None:
    """Say what is what in the container that `root` is, or that is at or above or below it."""
    with _lock:
        _chosen[root.absolute()] = choices


def forget() -> None:
    """Let go of all containers and choices, as a new process would begin."""
    with _lock:
        for known in (_chosen, _known, _folders):
            known.clear()


def look_again(path: Path) -> None:
    """Where a path leads into a container that is known already, see whether that has changed.

    Raises:
        DataError: it has, and is damaged, or it is not clear what it holds.
    """
    if _known and _nearby(_absolute(path)) is not None:
        with _lock:
            _look(_absolute(path))


def folders_in(path: Path) -> list[str] | None:
    """Names of the folders in a folder of a container; None where there is no such folder.

    Raises:
        DataError: the container is damaged, or it is not clear what it holds.
    """
    found = _found(path)
    return None if found is None else found[0].index.folders_in(found[1])


def files_in(path: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files in a folder of a container.

    Raises:
        DataError: as `folders_in`.
    """
    found = _found(path)
    return iter(()) if found is None else found[0].index.files_in(found[1])


def holds_folder(path: Path) -> bool:
    """Whether a path is a folder in a container.

    Raises:
        DataError: as `folders_in`.
    """
    return folders_in(path) is not None


def holds_file(path: Path) -> bool:
    """Whether a path is a file in a container that is known by now."""
    known = _nearby(_absolute(path.parent))
    return known is not None and known[0].index.member(known[1], path.name) is not None


def read_member(path: Path) -> MemberBytes | None:
    """A file in a container; None where there is none.

    Raises:
        DataError: it, or its container, is damaged.
        OSError: the container cannot be read.
    """
    found = _member(path.parent, path.name)
    if found is not None and not found[0].is_current(found[1].file):
        look_again(path.parent)
        found = _member(path.parent, path.name)
    if found is None:
        return None
    opened, member = found
    modified = opened.container.state(member).st_mtime_ns
    return MemberBytes(opened.container.read(member), modified)


def member_state(path: str) -> tuple[int, int] | None:
    """Time (ns) of the file that holds a file of a container, and the size of the latter, or None.

    Args:
        path: of the file in the container.
    """
    folder, _, name = path.rpartition("/")
    try:
        found = _member(folder, name)
        if found is None:
            return None
        opened, member = found
        return opened.container.state(member).st_mtime_ns, member.size
    except (OSError, DataError):
        return None


def stamp_of(path: Path) -> Stamp | None:
    """The state of the container that a folder is in; None for a real folder."""
    known = _nearby(_absolute(path))
    return None if known is None else known[0].stamp


def named_by_contents(path: Path) -> bool:
    """Whether a folder is in a container whose pictures have no names but those made from them."""
    known = _nearby(_absolute(path))
    return known is not None and not known[0].index.named


def _member(folder: Path | str, name: str) -> tuple[_Opened, Member] | None:
    found = _found(folder)
    if found is None:
        return None
    member = found[0].index.member(found[1], name)
    return None if member is None else (found[0], member)


def _found(path: Path | str) -> tuple[_Opened, str] | None:
    """The container that a folder is in, and the folder's path there; looked for where unknown."""
    text = _absolute(path)
    known = _nearby(text)
    if known is not None:
        return known
    with _lock:
        return _look(text)


def _nearby(text: str) -> tuple[_Opened, str] | None:
    """The same among the containers that are known already."""
    known = _folders.get(text)
    if known is not None:
        return _known[known[0]], known[1]
    above = text
    while _known and above:
        if (opened := _known.get(above)) is not None:
            folder = text[len(above) + 1 :]
            _folders[text] = (above, folder)
            return opened, folder
        above = above.rpartition("/")[0]
    return None


def _absolute(path: Path | str) -> str:
    text = str(path)
    return text if text.startswith("/") else str(Path(text).absolute())


def _look(text: str) -> tuple[_Opened, str] | None:
    """What is there now."""
    base = Path(text)
    inside: list[str] = []
    while not os.path.lexists(base):
        inside.insert(0, base.name)
        base = base.parent
    try:
        found = kind_of(base, inside[0] if inside else None)
    except OSError:
        found = None
    if found is None:
        _drop(text)
        return None
    where, open_it = found
    if where != base:
        inside = inside[1:]
    opened = _opened(where, open_it(_choices_for(where)))
    _folders[text] = (str(where), "/".join(inside))
    return opened, _folders[text][1]


def _drop(text: str) -> None:
    """What was a container there is none any more."""
    if (known := _folders.pop(text, None)) is not None:
        _known.pop(known[0], None)
        for folder in [folder for folder, (path, _) in _folders.items() if path == known[0]]:
            del _folders[folder]


def _opened(where: Path, container: Container) -> _Opened:
    states = [_state(file) for file in container.files]
    stamp = _stamp(where, container)
    known = _known.get(str(where))
    if known is not None and known.stamp == stamp:
        return known
    index = kept_index(stamp.text)
    if index is None:
        n_bytes = sum(size for _, size in states)
        if n_bytes >= LARGE:
            log.info("%s: looking for the pictures in %.1f GiB, once", where, n_bytes / LARGE)
        index = Index.of(container.contents(), where)
        keep_index(stamp.text, index)
    opened = _known[str(where)] = _Opened(str(where), container, stamp, states, index)
    return opened


def _state(file: Path) -> tuple[int, int]:
    """Time and size.

    Raises:
        DataError: the file is missing.
    """
    try:
        status = file.stat()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}: the container needs it") from None
    return status.st_mtime_ns, status.st_size


def _stamp(where: Path, container: Container) -> Stamp:
    """Of all its files, as `core.cache.remembered_digest` knows them, and of what is chosen."""
    choices = _choices_for(where)
    classes = None if choices.classes is None else list(chosen_classes(choices.classes))
    facts: list[object] = [str(where), type(container).__name__, choices, classes]
    newest = 0
    for file in container.files:
        status = file.stat()
        facts += [str(file), status.st_ino, status.st_size]
        facts += [status.st_mtime_ns, status.st_ctime_ns]
        newest = max(newest, status.st_mtime_ns)
    return Stamp(hashlib.sha256(repr(facts).encode()).hexdigest(), newest)


def _choices_for(where: Path) -> Choices:
    """Of the longest root that is the container, in it, or above it."""
    fitting = [
        root for root in _chosen if root == where or where in root.parents or root in where.parents
    ]
    return _chosen[max(fitting, key=lambda root: len(root.parts))] if fitting else Choices()
