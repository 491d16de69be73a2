"""Chunks that come back as they were written, and damaged ones that are seen as such."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oodbench.core.errors import DataError
from oodbench.runs.records import (
    ChunkInfo,
    Skipped,
    chunk_files,
    chunk_path,
    read_info,
    read_split,
    write_chunk,
)

INFO = ChunkInfo(n_items=4, skipped=(), engine="eager", device="cpu", batch_size=2)


def columns(start: int = 0, n: int = 4) -> dict[str, np.ndarray]:
    positions = np.arange(start, start + n)
    return {
        "position": positions.astype(np.int32),
        "image": np.array([f"n01440764/é{p}.JPEG" for p in positions], dtype=object),
        "shape": np.array([f"cat{p}" for p in positions]),
        "label": (positions % 1000).astype(np.int16),
        "confidence": (1 / (positions + 1)).astype(np.float32),
        "published_set": positions % 2 == 0,
        "decision_max": (positions % 16).astype(np.int8),
        "top5": (positions[:, None] + np.arange(5)).astype(np.int16),
    }


def test_roundtrip(tmp_path: Path) -> None:
    write_chunk(chunk_path(tmp_path, "fog/3", 0), columns(), INFO)
    records = read_split(tmp_path, "fog/3")
    assert list(records) == list(columns())
    for name, values in columns().items():
        stored = np.stack(records[name]) if name == "top5" else records[name].to_numpy()
        np.testing.assert_array_equal(stored, values)
        if values.dtype.kind not in "OU":
            assert stored.dtype == values.dtype, name


def test_rows_can_be_appended(tmp_path: Path) -> None:
    first, second = chunk_path(tmp_path / "twice", "", 0), chunk_path(tmp_path / "once", "", 0)
    write_chunk(first, columns(0, 3), INFO)
    write_chunk(first, columns(3, 4), INFO, append=True)
    write_chunk(second, columns(0, 7), INFO)
    assert pq.read_table(first).equals(pq.read_table(second), check_metadata=True)


def test_rows_are_appended_to_a_chunk_of_which_all_was_skipped(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, {}, INFO)
    write_chunk(path, columns(3, 4), INFO, append=True)
    assert list(read_split(tmp_path, "")["position"]) == [3, 4, 5, 6]


def test_top5_is_a_list_of_fixed_size_on_disk(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), INFO)
    table = pq.read_table(path)
    assert table.schema.field("top5").type.list_size == 5
    assert table.schema.field("top5").type.value_type == pa.int16()
    assert table["top5"].to_pylist()[3] == [3, 4, 5, 6, 7]


def test_values_that_are_slices(tmp_path: Path) -> None:
    """Rows and columns that are views with gaps in memory."""
    wide = np.arange(80, dtype=np.int16).reshape(8, 10)
    given = {"position": np.arange(16)[::2][:4], "top5": wide[::2, ::2]}
    write_chunk(chunk_path(tmp_path, "", 0), given, INFO)
    records = read_split(tmp_path, "")
    assert records["position"].tolist() == [0, 2, 4, 6]
    np.testing.assert_array_equal(np.stack(records["top5"]), wide[::2, ::2])


def test_a_chunk_without_rows(tmp_path: Path) -> None:
    skipped = (Skipped("a.JPEG", "truncated"),)
    info = ChunkInfo(n_items=1, skipped=skipped, engine="eager", device="cpu", batch_size=2)
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(n=0), info)
    assert read_info(path) == info
    assert len(read_split(tmp_path, "")) == 0


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "x.parquet", tmp_path / "b" / "y.parquet"
    write_chunk(first, columns(), INFO)
    write_chunk(second, columns(), INFO)
    assert first.read_bytes() == second.read_bytes()
    write_chunk(second, columns(start=1), INFO)
    assert first.read_bytes() != second.read_bytes()


def test_info_roundtrip(tmp_path: Path) -> None:
    skipped = (Skipped("n01440764/ü.JPEG", "truncated"), Skipped("b.JPEG", "no picture"))
    info = ChunkInfo(n_items=6, skipped=skipped, engine="compile", device="cuda:0", batch_size=64)
    path = chunk_path(tmp_path, "", 7)
    for deep in ((), (3, 5)):
        write_chunk(path, columns(), replace(info, deep=deep))
        assert read_info(path) == replace(info, deep=deep)


def test_chunks_are_joined_in_order(tmp_path: Path) -> None:
    for chunk in (10, 2, 0, 1):
        write_chunk(chunk_path(tmp_path, "", chunk), columns(start=chunk * 4), INFO)
    records = read_split(tmp_path, "")
    assert records["position"].tolist() == [*range(12), *range(40, 44)]
    assert records.index.tolist() == list(range(16))


@pytest.mark.parametrize(("n_items", "expected"), [(0, 0), (3, 3), (4, 4), (5, 5), (99, 8)])
def test_prefix(tmp_path: Path, n_items: int, expected: int) -> None:
    for chunk in range(2):
        write_chunk(chunk_path(tmp_path, "", chunk), columns(start=chunk * 4), INFO)
    records = read_split(tmp_path, "", n_items)
    assert records["position"].tolist() == list(range(expected))


def test_prefix_counts_items_not_rows(tmp_path: Path) -> None:
    """The second of four items was skipped: the first three items have two rows."""
    given = {name: np.delete(values, 1, axis=0) for name, values in columns().items()}
    write_chunk(chunk_path(tmp_path, "", 0), given, INFO)
    assert read_split(tmp_path, "", 3)["position"].tolist() == [0, 2]


def test_no_chunks(tmp_path: Path) -> None:
    assert read_split(tmp_path / "missing", "").empty
    assert chunk_files(tmp_path / "missing", "") == []


def test_splits_with_similar_names_are_kept_apart(tmp_path: Path) -> None:
    splits = ["", "all-fog", "gaussian_noise", "gaussian_noise/1", "gaussian_noise/10", "noise/1"]
    for split in splits:
        write_chunk(chunk_path(tmp_path, split, 0), columns(), INFO)
        write_chunk(chunk_path(tmp_path, split, 12), columns(), INFO)
    (tmp_path / "gaussian_noise-00001.parquet.part").touch()
    (tmp_path / "gaussian_noise-old.parquet").touch()
    for split in splits:
        expected = [chunk_path(tmp_path, split, 0), chunk_path(tmp_path, split, 12)]
        assert chunk_files(tmp_path, split) == expected


def test_names_of_chunks(tmp_path: Path) -> None:
    assert chunk_path(tmp_path, "fog/3", 4).name == "fog+3-00004.parquet"
    assert chunk_path(tmp_path, "", 0).name == "all-00000.parquet"


def test_a_missing_file_has_no_info(tmp_path: Path) -> None:
    assert read_info(tmp_path / "missing.parquet") is None


def test_a_file_cut_anywhere_has_no_info(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), INFO)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        assert read_info(path) is None, length


def test_a_damaged_footer_never_raises(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), INFO)
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    rng = np.random.default_rng(0)
    unread = 0
    for _ in range(100):
        damaged = bytearray(whole)
        place = len(whole) - footer + int(rng.integers(footer - 32))
        damaged[place : place + 24] = rng.bytes(24)
        path.write_bytes(bytes(damaged))
        unread += read_info(path) is None
    assert unread > 50


def test_parquet_of_something_else_has_no_info(tmp_path: Path) -> None:
    path = tmp_path / "all-00000.parquet"
    pq.write_table(pa.table({"position": [1]}), path)
    assert read_info(path) is None


@pytest.mark.parametrize("stored", [b"{", b"{}", b"[]", b"null", b'{"skipped": [], "more": 1}'])
def test_other_metadata_has_no_info(tmp_path: Path, stored: bytes) -> None:
    path = tmp_path / "all-00000.parquet"
    table = pa.table({"position": [1]}).replace_schema_metadata({b"oodbench": stored})
    pq.write_table(table, path)
    assert read_info(path) is None


def test_a_flipped_bit_in_the_rows_is_noticed(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    noise = np.random.default_rng(0).random(2000).astype(np.float32)
    write_chunk(path, {"position": np.arange(2000, dtype=np.int32), "confidence": noise}, INFO)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match=f"{path.name}: damaged .*; remove it and run again"):
        read_split(tmp_path, "")
