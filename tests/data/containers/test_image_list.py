"""Lists of pictures: CSV files with paths and labels."""

from pathlib import Path

import pytest
from container_files import index_of, pictures, write_list

from oodbench.core.errors import DataError
from oodbench.data.entries import file_exists
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import folder_names, list_folders
from oodbench.data.manifest import DEMO_MARK
from oodbench.data.read_files import read_file


def test_relative_paths_and_labels(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    rows = []
    for path in pictures(folder):
        path.rename(flat / path.name)
        rows.append((f"flat/{path.name}", index_of(path.parent.name)))
    file = write_list(tmp_path / "l.csv", ("file_name", "label"), rows)
    listed = list_folders(file, PICTURE_SUFFIXES)
    assert [folder.name for folder in listed] == sorted(
        {name[:9] for name in (p.name for p in flat.iterdir())}
    )
    name = listed[0].files[0][0]
    assert read_file(file / listed[0].name / name) == (flat / name).read_bytes()


def test_the_mark_of_demo_pictures_holds_for_a_list_of_them(folder: Path, tmp_path: Path) -> None:
    file = write_list(tmp_path / "l.csv", ("path",), [(str(p),) for p in pictures(folder)])
    assert len(folder_names(file)) == 5
    assert not file_exists(file / DEMO_MARK)
    (folder / DEMO_MARK).write_text("demo")
    file.touch()
    assert len(folder_names(file)) == 5
    assert file_exists(file / DEMO_MARK)
    assert read_file(file / DEMO_MARK) == b"demo"


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([("n01440764/no.jpg", 0)], r"l\.csv:2: .*no\.jpg: No such file or directory"),
        ([("", 0)], r"l\.csv:2: no path of a picture: ''"),
        ([], "empty; expected class folders"),
    ],
)
def test_rows_that_lead_nowhere(rows: list[tuple[str, int]], what: str, tmp_path: Path) -> None:
    file = write_list(tmp_path / "l.csv", ("path", "label"), rows)
    with pytest.raises(DataError, match=what):
        list_folders(file, PICTURE_SUFFIXES)


def test_what_is_no_csv_file(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"l\.csv: no CSV file of UTF-8"):
        folder_names(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_bytes(b"")
    with pytest.raises(DataError, match="no column path or image among none"):
        folder_names(tmp_path / "l.csv")
