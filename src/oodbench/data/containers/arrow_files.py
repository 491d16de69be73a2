"""Arrow files as `datasets.save_to_disk` writes them; pictures are read by their place in them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oodbench.core.errors import DataError, first_line
from oodbench.data.containers.base import Choices, Contents, Member, check_size, read_at
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

_FILE_FORMAT = b"ARROW1"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowContainer:
    """Arrow files of one table, streams or files.

    Args:
        files: in the order of the table.
        choices: of the user.
    """

    def __init__(self, files: Sequence[Path], choices: Choices) -> None:
        self.files = files
        self._choices = choices

    def contents(self) -> Contents:
        """The pictures by their names and labels; the pictures themselves are not read.

        Raises:
            DataError: a file is damaged or compressed, or does not say what it holds.
            ConfigError: a chosen column or list is not there.
        """
        return table_contents(self.files, self._choices, self._rows, self.read)

    def read(self, member: Member) -> bytes:
        """The bytes of a picture.

        Raises:
            DataError: the file ends before them.
            OSError: it cannot be read.
        """
        return read_at(self.files[member.file], member.offset, member.size, member.path)

    def state(self, member: Member) -> os.stat_result:
        """Of its file."""
        return self.files[member.file].stat()

    def _rows(self, file: Path, number: int) -> Iterator[tuple[Described, Member, Row]]:
        import pyarrow as pa

        first = 0
        try:
            with pa.memory_map(str(file)) as mapped:
                whole = mapped.read_buffer(mapped.size())
                for batch in _batches(file, whole):
                    about = described(file, batch.schema, self._choices)
                    content, names = picture_parts(file, batch.column(about.image))
                    rows = rows_of(file, first, batch, about, names)
                    for (offset, size), row in zip(_spans(file, content, whole), rows, strict=True):
                        check_size(file, row.where, size)
                        yield about, Member("", size, number, offset), row
                    first += batch.num_rows
                    del batch, content, names, rows
                del whole
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise DataError(f"{file}: no such file, which the data set lists") from None
            raise DataError(f"{file}: damaged ({first_line(error)}): get it again") from None


def _batches(file: Path, whole: "pa.Buffer") -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    source = pa.BufferReader(whole)
    if whole.size >= len(_FILE_FORMAT) and whole[: len(_FILE_FORMAT)].to_pybytes() == _FILE_FORMAT:
        reader = pa.ipc.open_file(source)
        yield from (reader.get_batch(k) for k in range(reader.num_record_batches))
        return
    if whole.size < 8 or whole[whole.size - 8 :].to_pybytes() != _END_OF_STREAM:
        raise DataError(f"{file}: cut off: it does not end as an Arrow stream does: get it again")
    yield from pa.ipc.open_stream(source)


def _spans(file: Path, content: "pa.Array", whole: "pa.Buffer") -> Iterator[tuple[int, int]]:
    """Offset in the file and size of every value."""
    import pyarrow as pa

    if not len(content):
        return
    kind = np.int64 if pa.types.is_large_binary(content.type) else np.int32
    _, offsets, values = content.buffers()
    at = np.frombuffer(offsets, kind)[content.offset : content.offset + len(content) + 1].tolist()
    begin = values.address - whole.address
    if not 0 <= begin <= whole.size - values.size:
        raise DataError(
            f"{file}: compressed: save it again without compression, so that single pictures can "
            "be read"
        )
    yield from ((begin + start, stop - start) for start, stop in zip(at, at[1:], strict=False))
