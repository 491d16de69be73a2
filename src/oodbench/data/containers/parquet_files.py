"""Parquet files, as on the Hugging Face hub: a picture is read with the row group that it is in."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oodbench.core.errors import DataError, first_line
from oodbench.data.containers.base import Choices, Contents, Member, check_size
from oodbench.data.containers.labels import Row
from oodbench.data.containers.tables import (
    Described,
    described,
    picture_parts,
    rows_of,
    table_contents,
)

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_BYTES = 1 << 28
"""Of row groups, in memory: pictures are asked for in another order than they are stored in."""


class ParquetContainer:
    """Parquet files of one table.

    Args:
        files: in the order of the table.
        choices: of the user.
    """

    def __init__(self, files: Sequence[Path], choices: Choices) -> None:
        self.files = files
        self._choices = choices
        self._kept: OrderedDict[tuple[int, int, int], pa.Array] = OrderedDict()
        self._lock = threading.Lock()

    def contents(self) -> Contents:
        """The pictures by their names and labels; all are read once, for their sizes.

        Raises:
            DataError: a file is damaged, or does not say what it holds.
            ConfigError: a chosen column or list is not there.
        """
        return table_contents(self.files, self._choices, self._rows, self.read)

    def read(self, member: Member) -> bytes:
        """The bytes of a picture.

        Raises:
            DataError: its row group is damaged.
            OSError: the file cannot be read.
        """
        content: bytes = self._group(member.file, member.offset)[member.packed].as_py()
        if len(content) != member.size:
            raise DataError(
                f"{self.files[member.file]}: {member.path}: has changed while it was read: give "
                "the same command again"
            )
        return content

    def state(self, member: Member) -> os.stat_result:
        """Of its file."""
        return self.files[member.file].stat()

    def _group(self, number: int, group: int) -> "pa.Array":
        """The pictures of a row group; the ones used last stay in memory."""
        file = self.files[number]
        key = (number, group, file.stat().st_mtime_ns)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found, _ = picture_parts(file, _column(file, group, self._choices))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > 1 and sum(a.nbytes for a in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return found

    def _rows(self, file: Path, number: int) -> Iterator[tuple[Described, Member, Row]]:
        first = 0
        for group, table in _groups(file, self._choices):
            about = described(file, table.schema, self._choices)
            for batch in table.combine_chunks().to_batches():
                content, names = picture_parts(file, batch.column(about.image))
                for place, row in enumerate(rows_of(file, first, batch, about, names)):
                    size = content[place].as_buffer().size
                    check_size(file, row.where, size)
                    yield about, Member("", size, number, group, place), row
                first += batch.num_rows


def _groups(file: Path, choices: Choices) -> Iterator[tuple[int, "pa.Table"]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            columns = described(file, opened.schema_arrow, choices).read
            for group in range(opened.num_row_groups):
                yield group, opened.read_row_group(group, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(file, error) from None


def _column(file: Path, group: int, choices: Choices) -> "pa.Array":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            name = described(file, opened.schema_arrow, choices).image
            column = opened.read_row_group(group, columns=[name]).column(name).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(file, error) from None
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _damaged(file: Path, error: Exception) -> DataError:
    return DataError(f"{file}: damaged ({first_line(error)}): get it again")
