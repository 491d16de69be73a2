"""Members of a tar archive, compressed or not, in one pass over its bytes."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast

from oodbench.core.errors import DataError, first_line
from oodbench.data.archives.forward import Forward
from oodbench.data.archives.limits import LARGEST_MEMBER, Limits
from oodbench.data.archives.members import Member
from oodbench.data.archives.names import safe_parts, shown

_GZIP = b"\x1f\x8b"


class TarSource:
    """A tar archive; whether it is compressed is seen from its first bytes, not from its name.

    Args:
        path: of the archive.
        passed: called with all its bytes, in order.
    """

    def __init__(self, path: Path, passed: Callable[[bytes], None]) -> None:
        self._path = path
        self._passed = passed

    @contextmanager
    def members(self) -> Iterator[Iterator[Member]]:
        """All regular files; at the end of the block, the rest of the archive has been read.

        Raises:
            DataError: no tar archive, damaged, a link or a device in it, a name that leads out of
                the folder, or far more than an archive of its size holds.
        """
        limits = Limits(self._path.name, self._path.stat().st_size)
        with self._path.open("rb") as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            raw = self._forward(file, self._passed)
            try:
                if compressed:
                    yield from self._unpacked(raw, limits)
                else:
                    yield self._each(raw, limits)
                raw.rest()
            except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise DataError(
                    f"{self._path}: damaged or no tar archive ({first_line(error)}): "
                    "download it again"
                ) from None

    def _unpacked(self, raw: Forward, limits: Limits) -> Iterator[Iterator[Member]]:
        unpacked = 0

        def count(piece: bytes) -> None:
            nonlocal unpacked
            unpacked += len(piece)
            limits.check(unpacked)

        with gzip.GzipFile(fileobj=cast(IO[bytes], raw), mode="rb") as packed:
            inner = self._forward(cast(IO[bytes], packed), count)
            yield self._each(inner, limits)
            inner.rest()

    def _forward(self, file: IO[bytes], passed: Callable[[bytes], None]) -> Forward:
        return Forward(file, passed=passed, most=LARGEST_MEMBER, name=self._path.name)

    def _each(self, file: Forward, limits: Limits) -> Iterator[Member]:
        with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as tar:
            while (entry := tar.next()) is not None:
                # tarfile keeps them all, more than a gigabyte for ImageNet-C.
                tar.members.clear()  # type: ignore[attr-defined]
                parts = safe_parts(entry.name, self._path.name)
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    raise DataError(
                        f"{self._path.name}: refused: the member {shown(entry.name)} is a "
                        f"{_kind(entry)}; this is not the official archive: download it again"
                    )
                limits.add(shown(entry.name), entry.size)
                yield Member(parts, entry.size, partial(self._read, tar, entry))

    def _read(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
        file = tar.extractfile(entry)
        content = b"" if file is None else file.read()
        if len(content) != entry.size:
            raise DataError(f"{self._path}: ends within {entry.name}: cut off; download it again")
        return content


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.issym():
        return "symbolic link"
    if entry.islnk():
        return "hard link"
    if entry.ischr() or entry.isblk():
        return "device"
    if entry.isfifo():
        return "pipe"
    return "sparse file" if entry.issparse() else "special file"
