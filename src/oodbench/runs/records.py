"""Per-image records: Parquet chunks, the only thing that inference writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from oodbench.core.errors import DataError, one_line, printable
from oodbench.core.files import atomic_path
from oodbench.data.patience import patiently
from oodbench.runs.positions import wrong_positions
from oodbench.runs.seal import has_seal, sealed

METADATA_KEY = b"oodbench"


@dataclass(frozen=True)
class Skipped:
    """An item that could not be read and was left out by data.on_error=skip."""

    image: str
    reason: str


@dataclass(frozen=True)
class ChunkInfo:
    """What a chunk's file says of itself.

    Attributes:
        n_items: items that the chunk covers, those skipped included.
        skipped: items without a row.
        engine, device, batch_size: how the rows were computed.
        note: why it was another engine than the one asked for.
        key: of the run, "" in files of earlier versions.
        split, first: whose items they are, and the position of the first; None in such files.
        deep: positions of the items of more than 8 bits a channel.
    """

    n_items: int
    skipped: tuple[Skipped, ...]
    engine: str
    device: str
    batch_size: int
    note: str = ""
    key: str = ""
    split: str | None = None
    first: int | None = None
    deep: tuple[int, ...] = ()


def chunk_path(directory: Path, split: str, chunk: int) -> Path:
    """File of a chunk: `<split, + for />-<number>.parquet`; `all-…` where there is one split."""
    return directory / chunk_name(split, chunk)


def chunk_name(split: str, chunk: int) -> str:
    """Name of a chunk's file."""
    return f"{(split or 'all').replace('/', '+')}-{chunk:05d}.parquet"


def write_chunk(
    path: Path, columns: Mapping[str, NDArray[Any]], info: ChunkInfo, *, append: bool = False
) -> None:
    """Write a chunk atomically; the same rows and info give the same bytes.

    Args:
        path: of the file.
        columns: of the rows, each `(N,)` or `(N, k)`.
        info: of the whole chunk.
        append: keep the rows of the file that is there, before these.

    Raises:
        DataError: the file that is there is damaged, or the rows are not those of the chunk.
        DiskError: its disk does not answer.
    """
    arrays = {name: _arrow(values) for name, values in columns.items()}
    tables = [pa.table(arrays)] if arrays else []
    if append and (stored := _read(path, None)[1]).num_rows:
        tables.insert(0, _as_written(stored))
    said = {name: value for name, value in asdict(info).items() if name != "deep" or value}
    metadata = {METADATA_KEY: json.dumps(said, sort_keys=True).encode()}
    whole = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
    table = whole.combine_chunks().replace_schema_metadata(metadata)
    if info.first is not None:
        _check(path, info, table, info.split or "", info.first, info.key)
    content = BytesIO()
    pq.write_table(table, content, compression="zstd", write_page_checksum=True)
    patiently(lambda: _write(path, sealed(content.getvalue())), path)


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as part:
        part.write_bytes(content)


def read_info(path: Path) -> ChunkInfo | None:
    """What a chunk says it covers, by its footer alone; None where it is missing or damaged."""
    try:
        return _info(pq.read_schema(path).metadata)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # ArrowInvalid and bad JSON are ValueErrors; a damaged footer is an OSError to pyarrow.
        return None


def items_recorded(directory: Path) -> int:
    """Items that the chunks of all splits say they cover, by their footers alone."""
    infos = map(read_info, directory.glob("*.parquet"))
    return sum(info.n_items for info in infos if info is not None)


def checked_info(path: Path, split: str, first: int, key: str) -> ChunkInfo | None:
    """What a chunk covers, once its bytes and rows are found to be sound and in their place.

    Args:
        path: of the file.
        split, first: whose items it has to hold, and the position of the first.
        key: of the run.

    Returns:
        None where there is no file.

    Raises:
        DataError: it is damaged, or of another place; one line that names it.
    """
    if not path.exists():
        return None
    info, table = _read(path, ["position", "frame"])
    _check(path, info, table, split, first, key)
    return info


def chunk_files(directory: Path, split: str) -> list[Path]:
    """The chunks of a split, in order."""
    name = chunk_path(directory, split, 0).name.removesuffix("00000.parquet")
    return sorted(
        (
            path
            for path in directory.glob("*.parquet")
            if path.name.startswith(name) and path.name.removeprefix(name)[:-8].isdigit()
        ),
        key=lambda path: (len(path.name), path.name),
    )


def column_names(directory: Path, split: str) -> list[str]:
    """Columns of a split's records, by its first chunk; none where it has no rows.

    Raises:
        DataError: the chunk is damaged.
    """
    files = chunk_files(directory, split)
    try:
        return list(pq.read_schema(files[0]).names) if files else []
    except (OSError, ValueError) as error:
        raise DataError(
            f"{files[0]}: damaged ({one_line(error, 100)}): run the cell again"
        ) from None


def read_split(
    directory: Path,
    split: str,
    n_items: int | None = None,
    *,
    columns: Sequence[str] | None = None,
    key: str = "",
) -> pd.DataFrame:
    """Records of a split, in its order, whole and each once.

    Args:
        directory: the run's records.
        split: its name, "" where there is one.
        n_items: the first so many items; None: all that are there.
        columns: only these and `position`, which is much faster; None: all.
        key: of the run; "": of whichever wrote the first chunk.

    Raises:
        DataError: a chunk is missing, damaged, or of another run, split or place, or holds rows
            twice or not all of them; one line that names the file.
    """
    files = chunk_files(directory, split)
    frames = []
    first = number = 0
    while first < n_items if n_items is not None else number < len(files):
        path = chunk_path(directory, split, number)
        if not path.exists():
            raise DataError(f"{path}: missing: run the same cell again")
        wanted = None if columns is None else list(dict.fromkeys([*columns, "position", "frame"]))
        info, table = _read(path, wanted)
        key = key or info.key
        _check(path, info, table, split, first, key)
        if table.num_rows:
            kept = table.column_names if columns is None else [*columns, "position"]
            frames.append(table.select(kept).to_pandas())
        first += info.n_items
        number += 1
    for path in files[number:]:
        _check_key(path, read_info(path), key)
    if not frames:
        return pd.DataFrame()
    records = pd.concat(frames, ignore_index=True)
    if n_items is not None and n_items < first:
        records = records[records["position"] < n_items]
    whole: pd.DataFrame = records.reset_index(drop=True)
    return whole


def _read(path: Path, columns: Sequence[str] | None) -> tuple[ChunkInfo, pa.Table]:
    """A chunk whose bytes are as they were written; without rows it has no columns either.

    Raises:
        DataError: they are not.
    """
    try:
        content = path.read_bytes()
        checked = has_seal(content)
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        info = _info(file.schema_arrow.metadata)
        if info.key and not checked:
            raise ValueError("its checksum is gone")
        if file.metadata.num_rows == 0:
            return info, pa.table({})
        if absent := {*(columns or ())} - {*file.schema_arrow.names, "frame"}:
            raise ValueError(f"no column {', '.join(sorted(absent))}")
        return info, file.read(columns=columns)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: damaged ({one_line(error)}): run the same cell again") from error


def _info(metadata: Mapping[bytes, bytes] | None) -> ChunkInfo:
    stored = json.loads((metadata or {})[METADATA_KEY])
    skipped = tuple(Skipped(**item) for item in stored.pop("skipped"))
    return ChunkInfo(skipped=skipped, deep=tuple(stored.pop("deep", ())), **stored)


def _check(path: Path, info: ChunkInfo, table: pa.Table, split: str, first: int, key: str) -> None:
    """Refuse a chunk that is not at its place, or not whole.

    Raises:
        DataError: one line that names it.
    """
    _check_key(path, info, key)
    if info.split not in (None, split):
        raise DataError(
            f"{path}: a chunk of split {info.split or 'all'!r}, not of {split or 'all'!r}: remove "
            "it and run the same cell again"
        )
    if info.first not in (None, first):
        raise DataError(
            f"{path}: begins with item {info.first}, not {first}: remove it and run the same cell "
            "again"
        )
    names = table.column_names
    position = table["position"].to_numpy() if "position" in names else np.empty(0, np.int64)
    frame = table["frame"].to_numpy() if "frame" in names else np.zeros_like(position)
    wrong = wrong_positions(position, frame, first, info.n_items, len(info.skipped))
    if wrong:
        raise DataError(f"{path}: {wrong}: run the same cell again")


def _check_key(path: Path, info: ChunkInfo | None, key: str) -> None:
    if info is not None and info.key and key and info.key != key:
        raise DataError(
            f"{path}: of run {info.key}, not of {key}: remove it and run the same cell again"
        )


def _as_written(stored: pa.Table) -> pa.Table:
    """A table that was read, with the types of one that is written: Parquet calls the elements of
    lists otherwise than Arrow, and the same rows are to give the same bytes."""
    fields = [
        field.with_type(pa.list_(field.type.value_type, field.type.list_size))
        if pa.types.is_fixed_size_list(field.type)
        else field
        for field in stored.schema
    ]
    return stored.cast(pa.schema(fields))


def _texts(values: list[str]) -> pa.Array:
    """Strings; of file names that are no UTF-8, which Arrow refuses, what can be printed."""
    try:
        return pa.array(values, type=pa.string())
    except UnicodeEncodeError:
        return pa.array([printable(value) for value in values], type=pa.string())


def _arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    if values.dtype == object or values.dtype.kind == "U":
        return _texts(values.tolist())
    return pa.array(np.ascontiguousarray(values))
