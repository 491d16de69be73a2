"""Members of a zip archive, encrypted or not."""

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from oodbench.core.errors import DataError, first_line
from oodbench.core.extras import install_extra
from oodbench.data.archives.limits import Limits
from oodbench.data.archives.members import Member
from oodbench.data.archives.names import safe_parts, shown

_ENCRYPTED = 1
_SLOW = 64 * 10**6
"""Bytes from which on Python's own decryption, 0.8 MB a second, is refused."""

_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")

Password = Callable[[], bytes]
"""Asks for the password; called once, and only for an archive that is encrypted."""


def is_zip(path: Path) -> bool:
    """Whether the file begins as zip archives do."""
    with path.open("rb") as file:
        return file.read(4) in _BEGINNINGS


class ZipSource:
    """A zip archive.

    Args:
        path: of the archive.
        password: asked for where members are encrypted.
        arrived: called with the packed bytes of each member that is read or passed over.
    """

    def __init__(self, path: Path, password: Password, arrived: Callable[[int], None]) -> None:
        self._path = path
        self._password = password
        self._arrived = arrived
        self._known: bytes | None = None

    def unlock(self) -> None:
        """Ask for the password where one is needed, and try it.

        Raises:
            DataError: it is wrong, or the package that decrypts fast is not installed; else as
                `members`.
        """
        with self._opened() as archive:
            for entry in archive.infolist():
                if entry.flag_bits & _ENCRYPTED and not entry.is_dir():
                    self._make_fast()
                    self._known = self._password()
                    self._read(archive, entry)
                    return

    @contextmanager
    def members(self) -> Iterator[Iterator[Member]]:
        """All regular files, in the order of the archive's index; encrypted ones after `unlock`.

        Raises:
            DataError: no zip archive, damaged, a link in it, a name that leads out of the folder,
                or far more than an archive of its size holds.
        """
        with self._opened() as archive:
            yield self._each(archive)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self._path}: damaged or no zip archive ({first_line(error)}): download it again"
        )

    def _make_fast(self) -> None:
        if find_spec("fast_zip_decryption") is not None:
            # It puts its decryption, fifty times as fast, in the place of zipfile's.
            import fast_zip_decryption  # noqa: F401
        elif self._path.stat().st_size > _SLOW:
            raise DataError(
                f"{self._path}: encrypted, and Python's own decryption would take days; "
                + install_extra("objectnet")
            )

    def _each(self, archive: zipfile.ZipFile) -> Iterator[Member]:
        limits = Limits(self._path.name, self._path.stat().st_size)
        for entry in archive.infolist():
            parts = safe_parts(entry.orig_filename, self._path.name)
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(
                    f"{self._path.name}: refused: the member {shown(entry.filename)} is a link or "
                    "a device; this is not the official archive: download it again"
                )
            if entry.is_dir():
                continue
            limits.add(shown(entry.filename), entry.file_size)
            yield Member(parts, entry.file_size, partial(self._read, archive, entry))
            self._arrived(entry.compress_size)

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
        try:
            return archive.read(entry, pwd=self._known)
        except RuntimeError:  # zipfile's own for a password that cannot be right
            raise DataError(f"{self._path}: the password is wrong") from None
        except (zipfile.BadZipFile, zlib.error) as error:
            if entry.flag_bits & _ENCRYPTED:
                raise DataError(
                    f"{self._path}: {entry.filename} does not decrypt ({first_line(error)}): the "
                    "password is wrong, or the archive is damaged"
                ) from None
            raise
