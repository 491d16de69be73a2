"""Per-image records: Parquet chunks, the only thing that inference writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from oodbench.core.errors import DataError, one_line
from oodbench.core.files import atomic_path

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
        deep: positions of the items of more than 8 bits a channel.
    """

    n_items: int
    skipped: tuple[Skipped, ...]
    engine: str
    device: str
    batch_size: int
    note: str = ""
    deep: tuple[int, ...] = ()


def chunk_path(directory: Path, split: str, chunk: int) -> Path:
    """File of a chunk: `<split, + for />-<number>.parquet`; `all-…` where there is one split."""
    return directory / f"{(split or 'all').replace('/', '+')}-{chunk:05d}.parquet"


def write_chunk(
    path: Path, columns: Mapping[str, NDArray[Any]], info: ChunkInfo, *, append: bool = False
) -> None:
    """Write a chunk atomically; the same rows and info give the same bytes.

    Args:
        path: of the file.
        columns: of the rows, each `(N,)` or `(N, k)`.
        info: of the whole chunk.
        append: keep the rows of the file that is there, before these.
    """
    arrays = {name: _arrow(values) for name, values in columns.items()}
    tables = [pa.table(arrays)] if arrays else []
    if append and (stored := _read_table(path, None)).num_rows:
        tables.insert(0, stored)
    said = {name: value for name, value in asdict(info).items() if name != "deep" or value}
    metadata = {METADATA_KEY: json.dumps(said, sort_keys=True).encode()}
    whole = pa.concat_tables(tables) if tables else pa.table({})
    table = whole.combine_chunks().replace_schema_metadata(metadata)
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)


def read_info(path: Path) -> ChunkInfo | None:
    """What a chunk covers, or None where the file is missing or damaged."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        stored = json.loads(metadata[METADATA_KEY])
        skipped = tuple(Skipped(**item) for item in stored.pop("skipped"))
        return ChunkInfo(skipped=skipped, deep=tuple(stored.pop("deep", ())), **stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # ArrowInvalid and bad JSON are ValueErrors; a damaged footer is an OSError to pyarrow.
        return None


def chunk_files(directory: Path, split: str) -> list[Path]:
    """The chunks of a split, in order."""
    name = chunk_path(directory, split, 0).name.removesuffix("00000.parquet")
    return sorted(
        path
        for path in directory.glob("*.parquet")
        if path.name.startswith(name) and path.name.removeprefix(name)[:-8].isdigit()
    )


def read_split(
    directory: Path,
    split: str,
    n_items: int | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Records of a split, in its order.

    Args:
        directory: the run's records.
        split: its name, "" where there is one.
        n_items: only the first so many items; None: all that are there.
        columns: only these and `position`, which is much faster; None: all.
    """
    wanted = None if columns is None else [*columns, "position"]
    chunks = [_read_chunk(path, wanted) for path in chunk_files(directory, split)]
    frames = [chunk for chunk in chunks if len(chunk)]
    if not frames:
        return pd.DataFrame()
    records = pd.concat(frames, ignore_index=True)
    if n_items is not None:
        records = records[records["position"] < n_items]
    whole: pd.DataFrame = records.reset_index(drop=True)
    return whole


def _read_chunk(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    frame: pd.DataFrame = _read_table(path, columns).to_pandas()
    return frame


def _read_table(path: Path, columns: Sequence[str] | None) -> pa.Table:
    """Without rows it has no columns either: every item was skipped."""
    try:
        if pq.read_metadata(path).num_rows == 0:
            return pa.table({})
        return pq.read_table(path, columns=columns, page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: damaged ({one_line(error)}); remove it and run again") from error


def _arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    if values.dtype == object or values.dtype.kind == "U":
        return pa.array(values.tolist(), type=pa.string())
    return pa.array(np.ascontiguousarray(values))
