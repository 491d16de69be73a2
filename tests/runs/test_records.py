"""Chunks that come back as they were written, and damaged ones that are seen as such."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oodbench.core.errors import DataError
from oodbench.runs.records import (
    ChunkInfo,
    Skipped,
    checked_info,
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
    assert first.read_bytes() == second.read_bytes()


def test_rows_with_more_columns_can_be_appended(tmp_path: Path) -> None:
    """Of a run that an earlier version began."""
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(0, 3), INFO)
    write_chunk(path, {**columns(3, 1), "loss_stuck": np.array([True])}, INFO, append=True)
    assert read_split(tmp_path, "")["loss_stuck"].tolist() == [None, None, None, True]


def test_rows_are_appended_to_a_chunk_of_which_all_was_skipped(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    skipped = tuple(Skipped(f"{k}.jpg", "cut short") for k in range(3))
    write_chunk(path, {}, replace(INFO, n_items=3, skipped=skipped))
    write_chunk(path, columns(3, 4), replace(INFO, n_items=7, skipped=skipped), append=True)
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
    given = {"position": (np.arange(16) // 2)[::2][:4], "top5": wide[::2, ::2]}
    write_chunk(chunk_path(tmp_path, "", 0), given, INFO)
    records = read_split(tmp_path, "")
    assert records["position"].tolist() == [0, 1, 2, 3]
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
    for chunk in (10, *range(10)):
        write_chunk(chunk_path(tmp_path, "", chunk), columns(start=chunk * 4), INFO)
    records = read_split(tmp_path, "")
    assert records["position"].tolist() == list(range(44))
    assert records.index.tolist() == list(range(44))


def test_chunks_with_six_digits_come_last(tmp_path: Path) -> None:
    names = [chunk_path(tmp_path, "", number) for number in (100_000, 99_999, 0)]
    for name in names:
        name.touch()
    assert chunk_files(tmp_path, "") == names[::-1]


@pytest.mark.parametrize(("n_items", "expected"), [(3, 3), (4, 4), (5, 5), (8, 8)])
def test_prefix(tmp_path: Path, n_items: int, expected: int) -> None:
    for chunk in range(2):
        write_chunk(chunk_path(tmp_path, "", chunk), columns(start=chunk * 4), INFO)
    records = read_split(tmp_path, "", n_items)
    assert records["position"].tolist() == list(range(expected))


def test_prefix_counts_items_not_rows(tmp_path: Path) -> None:
    """The second of four items was skipped: the first three items have two rows."""
    given = {name: np.delete(values, 1, axis=0) for name, values in columns().items()}
    info = replace(INFO, skipped=(Skipped("b.jpg", "cut short"),))
    write_chunk(chunk_path(tmp_path, "", 0), given, info)
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
    positions = np.arange(2000, dtype=np.int32)
    info = replace(INFO, n_items=2000)
    write_chunk(path, {"position": positions, "confidence": noise}, info)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match=f"{path.name}: damaged .*: run the same cell again"):
        read_split(tmp_path, "")


PLACED = replace(INFO, key="0123456789ab", split="", first=0)


def three_chunks(directory: Path, split: str = "", key: str = PLACED.key) -> list[Path]:
    """Four items each."""
    paths = [chunk_path(directory, split, number) for number in range(3)]
    for number, path in enumerate(paths):
        info = replace(PLACED, split=split, key=key, first=4 * number)
        write_chunk(path, columns(start=4 * number), info)
    return paths


def refused(directory: Path, n_items: int | None = None, key: str = PLACED.key) -> str:
    """The one line that a read ends with."""
    with pytest.raises(DataError) as caught:
        read_split(directory, "", n_items, key=key)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("n_items", [None, 12])
def test_a_missing_chunk_is_named(tmp_path: Path, number: int, n_items: int | None) -> None:
    paths = three_chunks(tmp_path)
    paths[number].unlink()
    if number == 2 and n_items is None:
        assert len(read_split(tmp_path, "")) == 8  # the run may have had no more
    else:
        assert refused(tmp_path, n_items) == f"{paths[number]}: missing: run the same cell again"


def test_chunks_that_reach_further_are_no_error(tmp_path: Path) -> None:
    """Of a run whose limit is just being raised."""
    three_chunks(tmp_path)
    assert read_split(tmp_path, "", 6, key=PLACED.key)["position"].tolist() == list(range(6))


@pytest.mark.parametrize("number", range(4))
def test_a_chunk_of_another_run_is_named(tmp_path: Path, number: int) -> None:
    """In the place of one's own, or as one more."""
    three_chunks(tmp_path / "own")
    others = three_chunks(tmp_path / "other", key="ba9876543210")
    foreign = chunk_path(tmp_path / "own", "", number)
    copyfile(others[min(number, 2)], foreign)
    expected = f"{foreign}: of run ba9876543210, not of 0123456789ab: remove it and run the same"
    assert refused(tmp_path / "own", 12).startswith(expected)


def test_a_chunk_of_another_split_is_named(tmp_path: Path) -> None:
    three_chunks(tmp_path)
    copyfile(three_chunks(tmp_path, split="fog/3")[1], chunk_path(tmp_path, "", 1))
    assert "all-00001.parquet: a chunk of split 'fog/3', not of 'all'" in refused(tmp_path)


def test_a_chunk_in_another_s_place_is_named(tmp_path: Path) -> None:
    paths = three_chunks(tmp_path)
    copyfile(paths[1], paths[2])
    assert "all-00002.parquet: begins with item 4, not 8" in refused(tmp_path)
    copyfile(paths[2], chunk_path(tmp_path, "", 3))
    assert "all-00002.parquet: begins with item 4, not 8" in refused(tmp_path)


@pytest.mark.parametrize("number", [0, 2])
def test_so_is_one_that_an_earlier_version_wrote(tmp_path: Path, number: int) -> None:
    """Without a key, its rows alone say where it belongs."""
    for k in range(3):
        write_chunk(chunk_path(tmp_path, "", k), columns(start=4 * k), INFO)
    copyfile(chunk_path(tmp_path, "", 1), chunk_path(tmp_path, "", number))
    first = 4 * number
    assert f"rows of other items than {first} to {first + 3}" in refused(tmp_path)


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """As they were written: no checksum, no key, no place."""
    info = {"n_items": 4, "skipped": [], "engine": "eager", "device": "cpu", "batch_size": 2}
    table = pa.table({"position": pa.array(range(4), pa.int32())})
    metadata = {b"oodbench": json.dumps(info).encode()}
    path = chunk_path(tmp_path, "", 0)
    pq.write_table(table.replace_schema_metadata(metadata), path, write_page_checksum=True)
    assert read_split(tmp_path, "", 4, key=PLACED.key)["position"].tolist() == [0, 1, 2, 3]
    assert checked_info(path, "", 0, PLACED.key) == INFO


def test_rows_that_were_appended_twice_are_named(tmp_path: Path) -> None:
    """Two processes that raised a limit from 4 to 8."""
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), INFO)
    for _ in range(2):
        write_chunk(path, columns(4), replace(INFO, n_items=8), append=True)
    assert "rows that stand twice or out of order" in refused(tmp_path, 8)


def test_rows_are_never_appended_twice_to_a_chunk_with_a_place(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), PLACED)
    write_chunk(path, columns(4), replace(PLACED, n_items=8), append=True)
    before = path.read_bytes()
    with pytest.raises(DataError, match="rows that stand twice or out of order"):
        write_chunk(path, columns(4), replace(PLACED, n_items=8), append=True)
    assert path.read_bytes() == before


READS: list[Callable[[Path], object]] = [
    lambda path: read_split(path.parent, "", 4, key=PLACED.key),
    lambda path: read_split(path.parent, "", 4, columns=["label"], key=PLACED.key),
    lambda path: checked_info(path, "", 0, PLACED.key),
]


@pytest.mark.parametrize("read", READS)
def test_every_flipped_bit_is_noticed(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """In the rows, the headers of pages, the footer and the checksum: one in each fifth byte."""
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), PLACED)
    read(path)
    whole = path.read_bytes()
    unseen = []
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        with suppress(DataError):
            read(path)
            unseen.append(place)
    assert unseen == []


def test_other_programs_read_the_file(tmp_path: Path) -> None:
    path = chunk_path(tmp_path, "", 0)
    write_chunk(path, columns(), PLACED)
    assert pd.read_parquet(path)["label"].tolist() == [0, 1, 2, 3]
    assert pd.read_parquet(tmp_path)["position"].tolist() == [0, 1, 2, 3]
