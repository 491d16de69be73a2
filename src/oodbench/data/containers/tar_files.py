"""Tar files read at random: those of a tree of pictures, or the shards of a webdataset."""

import logging
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from oodbench.core.errors import DataError, first_line, printable
from oodbench.data.containers.base import Choices, Contents, Member, check_size, read_at
from oodbench.data.containers.names import checked
from oodbench.data.containers.webdataset import is_webdataset, samples

log = logging.getLogger(__name__)

_BLOCK = 512
_CUT_OFF = ("unexpected end of data", "empty header", "truncated header")
"""What tarfile says where a file ends too early."""


class TarContainer:
    """Tar files that hold one tree together, or samples of a webdataset.

    Args:
        files: of the tar files.
        choices: of a webdataset.
    """

    def __init__(self, files: Sequence[Path], choices: Choices) -> None:
        self.files = files
        self._choices = choices

    def contents(self) -> Contents:
        """The files in them, or the pictures of the samples by the names that they have there.

        Raises:
            DataError: a file is damaged or compressed, or samples do not say what they are.
        """
        members = [
            member for number, file in enumerate(self.files) for member in _members(file, number)
        ]
        if is_webdataset(members):
            members = samples(self.files, members, self._choices, self.read)
        return Contents(members)

    def read(self, member: Member) -> bytes:
        """Its bytes.

        Raises:
            DataError: the file ends before them.
            OSError: the file cannot be read.
        """
        return read_at(self.files[member.file], member.offset, member.size, member.path)

    def state(self, member: Member) -> os.stat_result:
        """Of its tar file."""
        return self.files[member.file].stat()


def _members(file: Path, number: int) -> Iterator[Member]:
    """By their headers; what lies between these is not read."""
    n_others = 0
    length = file.stat().st_size
    last = ""
    try:
        with tarfile.open(file, "r:", errorlevel=2) as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep each
                if info.isdir():
                    continue
                if not info.isreg() or info.issparse():
                    n_others += 1
                    continue
                last = checked(info.name, file)
                check_size(file, last, info.size)
                if info.offset_data + info.size > length:
                    raise _ends_early(file, last)
                yield Member(last, info.size, number, info.offset_data)
            _check_end(file, archive.offset, length, last)
    except EOFError:
        raise _ends_early(file, last) from None
    except (tarfile.TarError, ValueError) as error:
        if str(error) in _CUT_OFF:
            raise _ends_early(file, last) from None
        raise DataError(
            f"{file}: cannot be read as a tar file ({first_line(error)}): get it again, or run "
            "gunzip first where it is compressed: it could not be read at random"
        ) from None
    if n_others:
        log.warning("%s: left out: %d links and other members that are no files", file, n_others)


def _check_end(file: Path, offset: int, length: int, last: str) -> None:
    """tarfile takes a damaged header for the end of the archive, which is a block of zeros."""
    block = read_at(file, offset, min(_BLOCK, max(0, length - offset)), last)
    if block.strip(b"\0"):
        raise DataError(
            f"{file}: damaged header behind {printable(last)}, at byte {offset}: get the file again"
        )


def _ends_early(file: Path, name: str) -> DataError:
    return DataError(
        f"{file}: cut off at or behind {printable(name) or 'its first member'}: get the file again"
    )
