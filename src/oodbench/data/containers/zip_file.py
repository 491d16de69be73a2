"""A zip file whose members are read without unpacking it."""

import logging
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from oodbench.core.errors import DataError, first_line, printable
from oodbench.data.containers.base import Contents, Member, check_size, read_at
from oodbench.data.containers.names import checked

log = logging.getLogger(__name__)

_ENCRYPTED = 1
_LOCAL = struct.Struct("<4s22xHH")
"""Signature of a local header, and the lengths of the name and of the extra field behind it."""


class ZipContainer:
    """A zip file; stored and deflated members.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.files: Sequence[Path] = [path]

    def contents(self) -> Contents:
        """The files in it; links are left out.

        Raises:
            DataError: no whole zip file, or a member that is encrypted or packed otherwise.
        """
        return Contents(self._members())

    def read(self, member: Member) -> bytes:
        """The unpacked bytes, whose checksum is that of the zip file.

        Raises:
            DataError: they are damaged, by name.
            OSError: the file cannot be read.
        """
        file = self.files[0]
        signature, name, extra = _LOCAL.unpack(read_at(file, member.offset, 30, member.path))
        if signature != b"PK\x03\x04":
            raise _damaged(file, member.path, "no header where it should begin")
        packed = read_at(file, member.offset + 30 + name + extra, member.packed, member.path)
        content = packed if member.method == zipfile.ZIP_STORED else _inflated(file, member, packed)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise _damaged(file, member.path, "its checksum or size is another one")
        return content

    def state(self, member: Member) -> os.stat_result:
        """Of the zip file."""
        return self.files[0].stat()

    def _members(self) -> Iterator[Member]:
        file, links = self.files[0], 0
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if stat.S_ISLNK(info.external_attr >> 16):
                        links += 1
                    elif not info.is_dir():
                        yield _member(file, info)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise DataError(
                f"{file}: not a whole zip file ({first_line(error)}): get it again"
            ) from None
        if links:
            log.warning("%s: left out: %d links: pack the files that they lead to", file, links)


def _member(file: Path, info: zipfile.ZipInfo) -> Member:
    path = checked(info.filename, file)
    if info.flag_bits & _ENCRYPTED:
        raise DataError(
            f"{file}: {printable(path)}: encrypted: unpack it with its password, name the folder"
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        how = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))  # type: ignore[attr-defined]
        raise DataError(
            f"{file}: {printable(path)}: packed by {how}: unpack the file, or pack it with deflate"
        )
    check_size(file, path, max(info.file_size, info.compress_size))
    return Member(
        *(path, info.file_size, 0, info.header_offset),
        *(info.compress_size, info.compress_type, info.CRC),
    )


def _inflated(file: Path, member: Member, packed: bytes) -> bytes:
    """No more than the size that is stated, whatever the bytes would unpack to."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
    except zlib.error as error:
        raise _damaged(file, member.path, first_line(error)) from None


def _damaged(file: Path, path: str, what: str) -> DataError:
    return DataError(f"{file}: {printable(path)}: damaged, {what}: get the file again")
