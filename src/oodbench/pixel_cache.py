"""Decoded and preprocessed pictures, kept so that the next model need not decode them again.

On disk there is a file for every split: a header with the identity of the pixels, a mark for every
position, a slot for every position. A slot is written before its mark, and the mark is the slot's
checksum: what was cut off in the middle, or damaged since, is no hit and is decoded again. Two
processes may fill one file, since both write the same bytes. Reads and writes go through `pread`
and `pwrite`: the file's pages belong to the system and not to the process, and a full disk is an
error and no signal.
"""

import fcntl
import json
import logging
import os
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

GIB = 2**30
HEADER = 4096
BLOCK = 512
"""Unit of what a sparse file really takes."""
MARK = struct.Struct("<II")
"""Of a position: 1 where the slot is filled, and its CRC-32."""
SUFFIX = ".pixels"

Shape = tuple[int, ...]


class PixelCache(Protocol):
    """Pixels of single pictures of one split; clips are not kept. Called from several threads."""

    def get(self, position: int) -> NDArray[np.uint8] | None:
        """uint8 `(1, H, W, 3)`, or None where they are not known."""
        ...

    def put(self, position: int, pixels: NDArray[np.uint8]) -> None:
        """Keep the pixels, uint8 `(1, H, W, 3)`; of other shapes than the first nothing is kept."""
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
        limit_gib: most that all splits together may take; the ones used longest ago go first.
        identity: everything that the pixels depend on, as JSON.
        split: its name.
        n_items: its items.
        n_planned: of these, so many will be asked for, for which there must be room.
    """
    if kind == "off":
        return NoCache()
    text = json.dumps([identity, split, n_items], sort_keys=True)
    limit = int(limit_gib * GIB)
    if kind == "memory":
        return _MEMORY.of(text, limit)
    return DiskCache(directory, text, n_items, n_planned, limit)


class NoCache:
    """Keeps nothing."""

    def get(self, position: int) -> None:
        """None."""

    def put(self, position: int, pixels: NDArray[np.uint8]) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """There is nothing to close."""


class MemoryCache:
    """A split's part of the store of this process."""

    def __init__(self, store: "MemoryStore", text: str) -> None:
        self._store = store
        self._text = text

    def get(self, position: int) -> NDArray[np.uint8] | None:
        """See `PixelCache`."""
        return self._store.get(self._text, position)

    def put(self, position: int, pixels: NDArray[np.uint8]) -> None:
        """See `PixelCache`."""
        if len(pixels) == 1:
            self._store.put(self._text, position, pixels)

    def close(self) -> None:
        """What is known stays for the next run."""


class MemoryStore:
    """Pixels by split and position, the split used last at the end."""

    def __init__(self) -> None:
        self._splits: OrderedDict[str, dict[int, NDArray[np.uint8]]] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0
        self._limit = 0

    def of(self, text: str, limit: int) -> MemoryCache:
        """The part of a split; `limit` in bytes is that of the whole store."""
        with self._lock:
            self._limit = limit
            self._splits.setdefault(text, {})
            self._splits.move_to_end(text)
        return MemoryCache(self, text)

    def get(self, text: str, position: int) -> NDArray[np.uint8] | None:
        """Pixels, or None."""
        with self._lock:
            return self._splits.get(text, {}).get(position)

    def put(self, text: str, position: int, pixels: NDArray[np.uint8]) -> None:
        """Keep pixels if there is room, or once another split has gone."""
        with self._lock:
            while self._bytes + pixels.nbytes > self._limit and next(iter(self._splits)) != text:
                _, gone = self._splits.popitem(last=False)
                self._bytes -= sum(known.nbytes for known in gone.values())
            if self._bytes + pixels.nbytes <= self._limit:
                self._splits.setdefault(text, {})[position] = pixels
                self._bytes += pixels.nbytes


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
        n_planned: of these, so many will come.
        limit: bytes that all files may take.
    """

    def __init__(
        self, directory: Path, text: str, n_items: int, n_planned: int, limit: int
    ) -> None:
        self._path = directory / f"{sha256(text.encode()).hexdigest()[:24]}{SUFFIX}"
        self._text = text
        self._n_items = n_items
        self._n_planned = n_planned
        self._limit = limit
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._shape: Shape = ()
        self._off = False
        self._open()

    def get(self, position: int) -> NDArray[np.uint8] | None:
        """See `PixelCache`."""
        file = self._file
        if file is None:
            return None
        pixels = np.empty((1, *self._shape), np.uint8)
        try:
            mark = os.pread(file.fileno(), MARK.size, self._mark(position))
            read = os.preadv(file.fileno(), [pixels.data], self._slot(position))
        except OSError:
            return None
        if len(mark) < MARK.size or read < pixels.nbytes:
            return None
        filled, checksum = MARK.unpack(mark)
        return pixels if filled == 1 and zlib.crc32(pixels.data) == checksum else None

    def put(self, position: int, pixels: NDArray[np.uint8]) -> None:
        """See `PixelCache`."""
        if self._off or len(pixels) != 1:
            return
        pixels = np.ascontiguousarray(pixels)
        try:
            with self._lock:
                if self._file is None and not self._off:
                    self._create(pixels.shape[1:])
            file = self._file
            if file is not None and pixels.shape[1:] == self._shape:
                _write(file, pixels.tobytes(), self._slot(position))
                mark = MARK.pack(1, zlib.crc32(pixels.data))
                _write(file, mark, self._mark(position))
        except OSError as error:
            self._give_up(str(error))

    def close(self) -> None:
        """See `PixelCache`; a thread that is still reading keeps the file until it is done."""
        self._off = True
        self._file = None

    def _mark(self, position: int) -> int:
        return HEADER + MARK.size * position

    def _slot(self, position: int) -> int:
        return HEADER + MARK.size * self._n_items + int(np.prod(self._shape)) * position

    def _open(self) -> None:
        """Use the file that is there, if it is what it should be; a damaged one is removed."""
        try:
            file = _File(self._path)
        except OSError:
            return
        fcntl.flock(file, fcntl.LOCK_SH)
        shape = _shape_in(os.pread(file.fileno(), HEADER, 0), self._text)
        if shape is None:
            self._path.unlink(missing_ok=True)
        elif _is_at(file, self._path):
            os.utime(file.fileno())
            self._file, self._shape = file, shape

    def _create(self, shape: Shape) -> None:
        header = json.dumps({"shape": shape, "sha256": _digest(self._text)}).encode()
        slot = int(np.prod(shape))
        size = HEADER + (MARK.size + slot) * self._n_items
        needed = HEADER + slot * self._n_planned
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not _make_room(self._path.parent, needed, self._limit):
            self._give_up(f"{needed / GIB:.1f} GiB would pass data.cache_gib={self._limit / GIB:g}")
            return
        part = self._path.with_name(f".{self._path.name}.{uuid4().hex}")
        try:
            with part.open("xb") as file:
                file.write(header.ljust(HEADER))
                file.truncate(size)
            # Fails where another process was faster; then its file is as good.
            os.link(part, self._path)
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)
        self._open()

    def _give_up(self, reason: str) -> None:
        if not self._off:
            log.warning("data.cache: %s: no further pictures are kept: %s", self._path, reason)
        self._off = True


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _shape_in(header: bytes, text: str) -> Shape | None:
    """Shape of the slots, or None where the header is damaged or of other pixels."""
    try:
        content = json.loads(header)
        height, width, channels = content["shape"]
        right = content["sha256"] == _digest(text) and channels == 3
    except (ValueError, KeyError, TypeError):
        return None
    return (int(height), int(width), 3) if right else None


def _is_at(file: _File, path: Path) -> bool:
    """Whether the open file is still the one of that name: it may have been evicted meanwhile."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _write(file: _File, content: bytes, offset: int) -> None:
    written = os.pwrite(file.fileno(), content, offset)
    if written != len(content):
        raise OSError(f"only {written} of {len(content)} bytes could be written")


def _make_room(directory: Path, size: int, limit: int) -> bool:
    """Remove files used longest ago, but none in use, until `size` bytes more fit."""
    files = sorted(
        ((path, path.stat()) for path in directory.glob(f"*{SUFFIX}")),
        key=lambda entry: entry[1].st_mtime,
    )
    taken = sum(stat.st_blocks for _, stat in files) * BLOCK
    for path, stat in files:
        if taken + size <= limit:
            break
        if _removed(path):
            taken -= stat.st_blocks * BLOCK
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
