"""Arrow files of `datasets` and of pyarrow: what is refused, and what has to be chosen."""

from pathlib import Path

import pyarrow as pa
import pytest
from container_files import class_folders, dataset, index_of, pictures

from oodbench.core.errors import ConfigError, DataError
from oodbench.data.containers.base import Choices
from oodbench.data.containers.opened import choose, named_by_contents
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import folder_names, list_folders
from oodbench.data.read_files import read_file

pytestmark = pytest.mark.slow


def table_of(folder: Path, **columns: list[object]) -> pa.Table:
    files = pictures(folder)
    image = pa.array([{"bytes": file.read_bytes(), "path": file.name} for file in files])
    return pa.table({"image": image, **columns})


def wnids(folder: Path) -> list[object]:
    return [file.parent.name for file in pictures(folder)]


def write(file: Path, table: pa.Table, **options: object) -> Path:
    with (
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, **options) as writer,
    ):
        writer.write_table(table, max_chunksize=3)
    return file


def test_a_single_file_with_synset_ids_as_labels(folder: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "x.arrow", table_of(folder, label=wnids(folder)))
    assert list_folders(file, PICTURE_SUFFIXES) == list_folders(folder, PICTURE_SUFFIXES)
    for path in pictures(folder):
        assert read_file(file / path.relative_to(folder)) == path.read_bytes()


def test_compressed_buffers_are_refused(folder: Path, tmp_path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    file = write(tmp_path / "x.arrow", table_of(folder, label=wnids(folder)), options=options)
    with pytest.raises(DataError, match=r"x\.arrow: compressed: save it again without compression"):
        folder_names(file)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.9999])
def test_a_file_that_is_cut_off(kept: float, folder: Path, tmp_path: Path) -> None:
    dataset(pictures(folder), class_folders(folder)).save_to_disk(str(tmp_path / "set"))
    (file,) = (tmp_path / "set").glob("*.arrow")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=r"00001\.arrow: cut off: it does not end as"):
        folder_names(tmp_path / "set")


def test_a_damaged_file_is_named(folder: Path, tmp_path: Path) -> None:
    dataset(pictures(folder), class_folders(folder)).save_to_disk(str(tmp_path / "set"))
    (file,) = (tmp_path / "set").glob("*.arrow")
    content = bytearray(file.read_bytes())
    content[8:60] = bytes(52)
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"00001\.arrow: damaged \("):
        folder_names(tmp_path / "set")


def test_a_list_of_files_that_is_damaged(folder: Path, tmp_path: Path) -> None:
    dataset(pictures(folder), class_folders(folder)).save_to_disk(str(tmp_path / "set"))
    state = tmp_path / "set" / "state.json"
    for content in ("{", "{}", '{"_data_files": [{"filename": "../x.arrow"}]}'):
        state.write_text(content)
        with pytest.raises(DataError, match=r"state\.json: (does not list|lists no files)"):
            folder_names(tmp_path / "set")


def test_columns_are_chosen_where_several_would_do(folder: Path, tmp_path: Path) -> None:
    table = table_of(folder, label=wnids(folder), wnid=wnids(folder))
    file = write(tmp_path / "x.arrow", table)
    with pytest.raises(
        DataError, match=r"the label may be label, wnid: choose one with data\.cont"
    ):
        folder_names(file)
    choose(file, Choices(label="synset"))
    with pytest.raises(
        ConfigError, match=r"data\.container\.label=synset: .* columns image, label"
    ):
        folder_names(file)
    choose(file, Choices(label="wnid"))
    assert len(folder_names(file)) == 5


def test_a_column_of_paths_goes_before_the_names_of_the_pictures(
    folder: Path, tmp_path: Path
) -> None:
    paths: list[object] = [f"{file.parent.name}/x{file.name}" for file in pictures(folder)]
    file = write(tmp_path / "x.arrow", table_of(folder, path=paths))
    found = list_folders(file, PICTURE_SUFFIXES)
    assert [f"{f.name}/{name}" for f in found for name, _ in f.files] == paths


def test_tables_without_pictures_or_without_their_bytes(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.arrow: no column of pictures among label: name it"):
        folder_names(write(tmp_path / "x.arrow", pa.table({"label": [1]})))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    image = pa.array([{"bytes": None, "path": "/a/b.jpg"}], kind)
    file = write(tmp_path / "y.arrow", pa.table({"image": image, "label": [1]}))
    with pytest.raises(DataError, match="1 pictures without their bytes, with a path alone"):
        folder_names(file)


def test_the_same_picture_twice_without_a_name(folder: Path, tmp_path: Path) -> None:
    content = pictures(folder)[0].read_bytes()
    table = pa.table({"image": pa.array([content] * 2, pa.large_binary()), "label": [999, 999]})
    file = write(tmp_path / "x.arrow", table)
    (found,) = list_folders(file, PICTURE_SUFFIXES)
    first, second = (name for name, _ in found.files)
    assert sorted([len(first), len(second)]) == [36, 38]
    assert named_by_contents(file)
    assert read_file(file / found.name / first) == content


def test_class_names_of_the_features_count_before_the_numbers(folder: Path, tmp_path: Path) -> None:
    """The 0 of the set is its first class, whatever place that has among the 1000."""
    made = dataset(pictures(folder), sorted(class_folders(folder), reverse=True))
    made.save_to_disk(str(tmp_path / "set"))
    assert made[0]["label"] != index_of(pictures(folder)[0].parent.name)
    assert list_folders(tmp_path / "set", PICTURE_SUFFIXES) == list_folders(
        folder, PICTURE_SUFFIXES
    )
