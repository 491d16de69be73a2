"""Rows of Arrow tables: their pictures, labels and names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oodbench.core.errors import DataError
from oodbench.data.containers.base import Choices, Contents, Member
from oodbench.data.containers.columns import Columns, find_columns
from oodbench.data.containers.hashed_names import placed
from oodbench.data.containers.hf_features import features_of
from oodbench.data.containers.labels import Row, named_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Described:
    """What the columns of a table are.

    Attributes:
        class_names: of the labels, where the schema has them.
    """

    columns: Columns
    image: str
    class_names: Sequence[str] | None

    @property
    def read(self) -> list[str]:
        """The columns that are needed."""
        found = (self.image, self.columns.label, self.columns.path)
        return [name for name in found if name is not None]


def table_contents(
    files: Sequence[Path],
    choices: Choices,
    rows_in: Callable[[Path, int], Iterable[tuple[Described, Member, Row]]],
    read: Callable[[Member], bytes],
) -> Contents:
    """The pictures of a table that lies in several files, by their names and labels.

    Args:
        files: in the order of the table.
        choices: of the user.
        rows_in: gives the rows of a file, by it and its number.
        read: a picture, which only those without a name need.

    Raises:
        DataError: a file does not say what it holds.
        ConfigError: a chosen list is not there.
    """
    rows: list[Row] = []
    members: list[Member] = []
    found: Described | None = None
    for number, file in enumerate(files):
        for about, member, row in rows_in(file, number):
            found = about
            members.append(member)
            rows.append(row)
    names = found.class_names if found else None
    return placed(members, named_rows(files[0].parent, rows, choices, names), read)


def described(where: Path, schema: "pa.Schema", choices: Choices) -> Described:
    """The columns of a table by its schema and the choices.

    Raises:
        DataError: it has no pictures, or several columns may be meant.
        ConfigError: a chosen column is not there.
    """
    features = features_of(schema)
    columns = find_columns(
        where, schema.names, choices, images=features.images, labels=list(features.classes)
    )
    if columns.image is None:
        raise DataError(
            f"{where}: no column of pictures among {', '.join(schema.names)}: name it with "
            "data.container.image"
        )
    names = features.classes.get(columns.label or "")
    return Described(columns, columns.image, names or None)


def picture_parts(where: Path, column: "pa.Array") -> tuple["pa.Array", "pa.Array | None"]:
    """Bytes and names of a column of pictures, which is a structure of both or the bytes alone.

    Raises:
        DataError: a picture has no bytes.
    """
    import pyarrow as pa

    names = None
    if pa.types.is_struct(column.type):
        parts = dict(zip([part.name for part in column.type], column.flatten(), strict=True))
        names = parts.get("path")
        column = parts.get("bytes", pa.nulls(len(column), pa.binary()))
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise DataError(f"{where}: pictures as {column.type}, not as the bytes of files")
    if column.null_count:
        raise DataError(
            f"{where}: {column.null_count} pictures without their bytes, with a path alone: save "
            "it again with the pictures in it"
        )
    return column, names


def rows_of(
    where: Path, first: int, batch: "pa.RecordBatch", described: Described, names: "pa.Array | None"
) -> Iterator[Row]:
    """What a batch says of its pictures.

    Args:
        first: number of its first row, for messages.
        names: of the pictures, used where no column has any.
    """
    columns = described.columns
    labels = _values(batch, columns.label)
    paths = _values(batch, columns.path)
    kept = [None] * batch.num_rows if names is None else names.to_pylist()
    for number, (label, path, name) in enumerate(zip(labels, paths, kept, strict=True), first):
        yield Row(path or name or None, label, f"{where}: row {number}")


def _values(batch: "pa.RecordBatch", name: str | None) -> list[Any]:
    return [None] * batch.num_rows if name is None else batch.column(name).to_pylist()
