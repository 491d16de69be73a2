"""Decoded and preprocessed pictures, kept so that the next model need not decode them again.

On disk there is a file for every split: a header with the identity of the pixels, a mark for every
position, a slot for every position. A slot is written before its mark, and the mark holds the
position, the slot's checksum, and time, size and sha256 of the file that was decoded: what was
interrupted halfway, damaged since, belongs to another position, or was decoded from a file that has
changed since is not a hit and is decoded again. Two processes may fill one file, since both write
the same bytes. Reads and writes go through `pread`
and `pwrite`: the file's pages belong to the system and not to the process, and a full disk is an
error, not a signal.

Files are created, extended, opened and evicted by the holder of the lock on the folder's `.lock`.
Whoever uses a file has a shared lock on it, which keeps it from being evicted. A file is as long as
what is planned for it, so the lengths count against the limit, whatever is filled in yet.
"""

import fcntl
import json
import logging
import os
import struct
import threading
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from oodbench.core.files import GIB, atomic_path
from oodbench.data.read_files import NO_FILE, FileState

log = logging.getLogger(__name__)


HEADER = 4096
FORMAT = 3
"""Of the files; one of another format is made anew.

1: marks did not hold their position. 2: nor which file was decoded.
"""

MARK = struct.Struct("<IIIqq32s")
"""Of a position: 1 where the slot is filled, the position, the CRC-32 of the slot, and of the file
that was decoded time, size and sha256."""

PIXELS_SUFFIX = ".pixels"

Shape = tuple[int, ...]


class Known(NamedTuple):
    """A decoded and preprocessed picture.

    Attributes:
        pixels: uint8 `(1, H, W, 3)`, not to be written to.
        state: of the file that was decoded.
        sha256: of its bytes; "" where they are not known.
    """

    pixels: NDArray[np.uint8]
    state: FileState = NO_FILE
    sha256: bytes = b""


class PixelCache(Protocol):
    """Pixels of single pictures of one split; clips are not kept. Called from several threads."""

    def get(self, position: int, state: FileState = NO_FILE) -> Known | None:
        """What is known of a position, or None.

        Args:
            position: of the picture.
            state: of its file now; pixels that were decoded from another one are not known.
        """
        ...

    def put(self, position: int, known: Known) -> None:
        """Keep pixels; a file keeps only pictures of the first's size.

        What is not kept for its shape, clips too, is named in one warning.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_cache(
    kind: str,
    directory: Path,
    limit_gib: float,
    identity: Mapping[str, Any],
    split: str,
    n_items: int,
    n_planned: int,
) -> PixelCache:
    """The cache of a split.

    Args:
        kind: off, memory (of this process, shared by its runs) or disk.
        directory: of the files.
        limit_gib: most that all splits together may take, at most half of the machine's memory in
            memory; of those not in use, the ones used longest ago go first.
        identity: everything that the pixels depend on, as JSON.
        split: its name.
        n_items: its items.
        n_planned: how many of them will be asked for; there must be room for these.
    """
    if kind == "off":
        return NoCache()
    text = json.dumps([identity, split, n_items], sort_keys=True)
    limit = int(limit_gib * GIB)
    if kind == "memory":
        return _MEMORY.of(text, min(limit, _half_of_memory()))
    return DiskCache(directory, text, n_items, n_planned, limit)


class NoCache:
    """Keeps nothing."""

    def get(self, position: int, state: FileState = NO_FILE) -> None:
        """Find nothing."""

    def put(self, position: int, known: Known) -> None:
        """Discard the pixels."""

    def close(self) -> None:
        """Do nothing: no file is open."""


class MemoryCache:
    """A split's part of the store of this process."""

    def __init__(self, store: "MemoryStore", text: str) -> None:
        self._store = store
        self._text = text

    def get(self, position: int, state: FileState = NO_FILE) -> Known | None:
        """See `PixelCache`."""
        known = self._store.get(self._text, position)
        return known if known is not None and known.state == state else None

    def put(self, position: int, known: Known) -> None:
        """See `PixelCache`."""
        if _is_picture(known.pixels):
            self._store.put(self._text, position, known)

    def close(self) -> None:
        """Keep what is known for the next run, unless another one needs the room."""
        self._store.release(self._text)


class MemoryStore:
    """Pixels by split and position, the split used last at the end."""

    def __init__(self) -> None:
        self._splits: OrderedDict[str, dict[int, Known]] = OrderedDict()
        self._users: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._bytes = 0
        self._limit = 0

    def of(self, text: str, limit: int) -> MemoryCache:
        """The part of a split; `limit` in bytes is that of the whole store."""
        with self._lock:
            self._limit = limit
            self._users[text] += 1
            self._splits.setdefault(text, {})
            self._splits.move_to_end(text)
        return MemoryCache(self, text)

    def release(self, text: str) -> None:
        """Count one user of the split less."""
        with self._lock:
            self._users[text] -= 1

    def get(self, text: str, position: int) -> Known | None:
        """What is known of a position of a split, or None."""
        with self._lock:
            return self._splits.get(text, {}).get(position)

    def put(self, text: str, position: int, known: Known) -> None:
        """Keep pixels if there is room, or once splits that nobody uses have gone."""
        with self._lock:
            split = self._splits.setdefault(text, {})
            before = split.get(position)
            if before is not None and before.state == known.state:
                return
            if before is not None:
                self._bytes -= split.pop(position).pixels.nbytes
            if not self._make_room(known.pixels.nbytes):
                _warn(
                    "memory", f"no further pictures are kept: {self._limit / GIB:.2g} GiB are full"
                )
                return
            split[position] = known
            self._bytes += known.pixels.nbytes

    def _make_room(self, size: int) -> bool:
        for text in [text for text in self._splits if self._users[text] <= 0]:
            if self._bytes + size <= self._limit:
                break
            self._bytes -= sum(known.pixels.nbytes for known in self._splits.pop(text).values())
        return self._bytes + size <= self._limit


_MEMORY = MemoryStore()


class _File:
    """An open file that is closed when the last thread has let go of it."""

    def __init__(self, path: Path) -> None:
        """Open for reading and writing.

        Raises:
            OSError: it cannot be opened.
        """
        self.number = os.open(path, os.O_RDWR)
        finalize(self, os.close, self.number)

    def fileno(self) -> int:
        """The descriptor."""
        return self.number


class DiskCache:
    """One file, made when the first picture is put and its size is known.

    Args:
        directory: of all files.
        text: identity of the pixels.
        n_items: of the split.
        n_planned: how many of them will come.
        limit: bytes that all files may take.
    """

    def __init__(
        self, directory: Path, text: str, n_items: int, n_planned: int, limit: int
    ) -> None:
        self._path = directory / f"{sha256(text.encode()).hexdigest()[:24]}{PIXELS_SUFFIX}"
        self._text = text
        self._n_items = n_items
        self._n_planned = n_planned
        self._limit = limit
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._shape: Shape = ()
        self._off = False
        try:
            if self._path.exists():
                with _locked(directory):
                    self._open()
        except OSError as error:
            self._give_up(str(error))

    def get(self, position: int, state: FileState = NO_FILE) -> Known | None:
        """See `PixelCache`."""
        file = self._file
        if file is None:
            return None
        try:
            mark = os.pread(file.fileno(), MARK.size, self._mark(position))
            if len(mark) != MARK.size:
                return None
            filled, place, checksum, modified, size, sha256 = MARK.unpack(mark)
            if (filled, place) != (1, position) or FileState(modified, size) != state:
                return None
            pixels = np.empty((1, *self._shape), np.uint8)
            read = os.preadv(file.fileno(), [pixels.data], self._slot(position))
        except OSError:
            return None
        whole = read == pixels.nbytes and zlib.crc32(pixels.data) == checksum
        return Known(pixels, state, sha256 if any(sha256) else b"") if whole else None

    def put(self, position: int, known: Known) -> None:
        """See `PixelCache`."""
        if self._off or not _is_picture(known.pixels):
            return
        pixels = np.ascontiguousarray(known.pixels)
        try:
            with self._lock:
                if self._file is None and not self._off:
                    self._create(pixels.shape[1:])
            file = self._file
            if file is not None and pixels.shape[1:] != self._shape:
                _warn("sizes", "only pictures of one size are kept on disk: choose memory")
            elif file is not None:
                _write(file, pixels.tobytes(), self._slot(position))
                checksum = zlib.crc32(pixels.data)
                mark = MARK.pack(1, position, checksum, *known.state, known.sha256)
                _write(file, mark, self._mark(position))
        except OSError as error:
            self._give_up(str(error))

    def close(self) -> None:
        """Let go of the file; a thread that is still reading keeps it until it is done."""
        self._off = True
        self._file = None

    def _mark(self, position: int) -> int:
        return HEADER + MARK.size * position

    def _slot(self, position: int) -> int:
        return HEADER + MARK.size * self._n_items + int(np.prod(self._shape)) * position

    def _open(self) -> None:
        """Use the file that is there, long enough; a damaged one is removed. Under the lock."""
        if not self._path.exists():
            return
        file = _File(self._path)
        shape = _shape_in(os.pread(file.fileno(), HEADER, 0), self._text)
        if shape is None:
            self._path.unlink()
            return
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(file.fileno())
        self._shape = shape
        more = self._slot(self._n_planned) - os.fstat(file.fileno()).st_size
        if more > 0 and self._has_room(more):
            os.ftruncate(file.fileno(), self._slot(self._n_planned))
        self._file = file

    def _create(self, shape: Shape) -> None:
        """Create the file, unless another process was faster: its file is as good."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self._path.parent):
            self._open()
            if self._file is not None:
                return
            self._shape = shape
            size = self._slot(self._n_planned)
            if not self._has_room(size):
                return
            for left in self._path.parent.glob(f".*{PIXELS_SUFFIX}.*.part"):
                left.unlink()  # by a process that was killed here
            header = json.dumps({"shape": shape, "sha256": _digest(self._text, shape)}).encode()
            with atomic_path(self._path) as part, part.open("wb") as file:
                file.write(header.ljust(HEADER))
                file.truncate(size)
            self._open()

    def _has_room(self, size: int) -> bool:
        """Whether the file may grow by so many bytes; if not, nothing more is written."""
        if _make_room(self._path.parent, size, self._limit):
            return True
        self._give_up(f"{size / GIB:.2g} GiB would pass data.cache_gib={self._limit / GIB:.2g}")
        return False

    def _give_up(self, reason: str) -> None:
        self._off = True
        place = str(self._path.parent)
        _warn(place, f"{place}: no further pictures are kept: {reason}")


_warned: set[str] = set()
_warned_lock = threading.Lock()


def _warn(topic: str, message: str) -> None:
    """Warn once per topic: where one split has no room, the next ones have none either."""
    with _warned_lock:
        if topic in _warned:
            return
        _warned.add(topic)
    log.warning("data.cache: %s", message)


def _is_picture(pixels: NDArray[np.uint8]) -> bool:
    if len(pixels) == 1:
        return True
    _warn("clips", "clips are not kept")
    return False


def _half_of_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from creating, extending, opening or evicting files meanwhile."""
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(text: str, shape: Shape) -> str:
    return sha256(f"{FORMAT} {text} {shape}".encode()).hexdigest()


def _shape_in(header: bytes, text: str) -> Shape | None:
    """Shape of the slots, or None where the header is damaged or of other pixels."""
    try:
        content = json.loads(header)
        height, width, channels = content["shape"]
        shape = (int(height), int(width), int(channels))
        return shape if content["sha256"] == _digest(text, shape) else None
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: _File, content: bytes, offset: int) -> None:
    written = os.pwrite(file.fileno(), content, offset)
    if written != len(content):
        raise OSError(f"only {written} of {len(content)} bytes could be written")


def _make_room(directory: Path, size: int, limit: int) -> bool:
    """Remove the files used longest ago, but none in use, until `size` more bytes fit."""
    if size > limit:
        return False
    files = sorted(
        ((path, path.stat()) for path in directory.glob(f"*{PIXELS_SUFFIX}")),
        key=lambda entry: entry[1].st_mtime,
    )
    taken = sum(stat.st_size for _, stat in files)
    for path, stat in files:
        if taken + size <= limit:
            break
        if _removed(path):
            taken -= stat.st_size
    return taken + size <= limit


def _removed(path: Path) -> bool:
    """Remove a file that no process has open as a cache."""
    try:
        file = _File(path)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    return True
