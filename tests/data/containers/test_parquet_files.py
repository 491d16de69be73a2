"""Parquet files as on the hub: splits, damage, row groups in memory."""

from pathlib import Path

import pytest
from container_files import as_parquet, pictures

from oodbench.core.errors import DataError
from oodbench.data.containers import parquet_files
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import folder_names, list_folders
from oodbench.data.read_files import read_file

pytestmark = pytest.mark.slow


def test_splits_of_one_folder_are_chosen_by_name(folder: Path, tmp_path: Path) -> None:
    packed = as_parquet(folder, tmp_path / "data")
    (packed / "test-00000-of-00001.parquet").write_bytes(b"never read")
    with pytest.raises(
        DataError, match=r"files of 2 splits, test, validation: name one, such as ben"
    ):
        folder_names(packed)
    listed = list_folders(packed / "validation", PICTURE_SUFFIXES)
    assert listed == list_folders(folder, PICTURE_SUFFIXES)


def test_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    packed = as_parquet(folder, tmp_path / "data")
    file = packed / "validation-00001-of-00002.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"validation-00001-of-00002\.parquet: damaged \("):
        folder_names(packed)


def test_row_groups_in_memory_are_bounded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "KEPT_BYTES", 1)
    packed = as_parquet(folder, tmp_path / "data")
    folder_names(packed)
    container = parquet_files.ParquetContainer(sorted(packed.iterdir()), parquet_files.Choices())
    for member in container.contents().members:
        assert container.read(member) == (folder / member.path).read_bytes()
        assert len(container._kept) == 1


def test_a_picture_is_read_with_few_files_open(folder: Path, tmp_path: Path) -> None:
    packed = as_parquet(folder, tmp_path / "data")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in pictures(folder):
        read_file(packed / path.relative_to(folder))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
