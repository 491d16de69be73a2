"""Every kind of container is listed and read as the folder that it was made from."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from container_files import PACKERS, as_arrow, as_list, as_tar, as_zip, pictures, write_list

from oodbench.core.errors import DataError
from oodbench.data.containers import opened
from oodbench.data.entries import file_exists, folder_exists
from oodbench.data.listing import (
    CLIP_SUFFIXES,
    PICTURE_SUFFIXES,
    cached_summary,
    folder_names,
    list_folders,
    summarise,
)
from oodbench.data.read_files import NO_FILE, file_state, files_read, read_file


@pytest.mark.slow
@pytest.mark.parametrize("kind", PACKERS)
def test_it_is_the_folder(kind: str, folder: Path, tmp_path: Path) -> None:
    container = PACKERS[kind](folder, tmp_path / "packed")
    expected = list_folders(folder, PICTURE_SUFFIXES)
    for _ in range(2):  # the second time from the cache
        opened.forget()
        assert list_folders(container, PICTURE_SUFFIXES) == expected
        assert summarise(list_folders(container, PICTURE_SUFFIXES)) == summarise(expected)
        for path in pictures(folder):
            inside = container / path.relative_to(folder)
            assert read_file(inside) == path.read_bytes()
            assert file_state(inside).size == path.stat().st_size
    assert folder_exists(container / "n01440764")
    assert not folder_exists(container / "n01440765")


@pytest.mark.parametrize("kind", ["zip", "tar", "shards", "list"])
def test_nothing_stays_open(kind: str, folder: Path, tmp_path: Path) -> None:
    container = PACKERS[kind](folder, tmp_path / "packed")
    before = len(list(Path("/proc/self/fd").iterdir()))
    list_folders(container, PICTURE_SUFFIXES)
    read_file(container / pictures(folder)[0].relative_to(folder))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("kind", ["zip", "shards", "list"])
def test_threads_open_it_once_and_read_at_the_same_time(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    container = PACKERS[kind](folder, tmp_path / "packed")
    paths = pictures(folder) * 10
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: read_file(container / path.relative_to(folder)), paths))
    assert found == [path.read_bytes() for path in paths]


def test_the_index_comes_from_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = as_zip(folder, tmp_path / "packed")
    listed = list_folders(container, PICTURE_SUFFIXES)
    opened.forget()
    monkeypatch.setattr("oodbench.data.containers.zip_file.ZipContainer.contents", None)
    assert list_folders(container, PICTURE_SUFFIXES) == listed


def test_a_damaged_index_is_made_anew(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    listed = list_folders(container, PICTURE_SUFFIXES)
    (index,) = (tmp_path / "cache" / "containers").glob("*.index")
    content = bytearray(index.read_bytes())
    content[-40] ^= 1
    index.write_bytes(content)
    opened.forget()
    assert list_folders(container, PICTURE_SUFFIXES) == listed


def test_a_changed_container_is_seen_when_it_is_listed_and_when_it_is_read(
    folder: Path, tmp_path: Path
) -> None:
    container = as_tar(folder, tmp_path / "packed")
    names = folder_names(container)
    first = cached_summary(
        container, names, "x", lambda: summarise(list_folders(container, PICTURE_SUFFIXES))
    )
    shutil.rmtree(folder / names[0])
    as_tar(folder, tmp_path / "packed")
    assert (
        read_file(container / pictures(folder)[0].relative_to(folder))
        == pictures(folder)[0].read_bytes()
    )
    assert folder_names(container) == names[1:]
    second = cached_summary(
        container, names[1:], "x", lambda: summarise(list_folders(container, PICTURE_SUFFIXES))
    )
    assert (first.n_files, second.n_files) == (20, 16)


def test_what_is_no_container_any_more_is_none(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    assert len(folder_names(container)) == 5
    container.unlink()
    with pytest.raises(DataError, match="no such folder"):
        folder_names(container)
    shutil.copytree(folder, container)
    assert list_folders(container, PICTURE_SUFFIXES) == list_folders(folder, PICTURE_SUFFIXES)


def test_reading_names_the_file_and_the_time_of_the_container(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    path = container / pictures(folder)[0].relative_to(folder)
    os.utime(container, ns=(5, 7_000_000_000))
    with files_read() as found:
        read_file(path)
    assert [(file.path, file.state) for file in found] == [(path, file_state(path))]
    assert file_state(path) == (7_000_000_000, pictures(folder)[0].stat().st_size)


def test_the_pictures_of_a_list_have_their_own_times(folder: Path, tmp_path: Path) -> None:
    container = as_list(folder, tmp_path / "packed")
    picture = pictures(folder)[3]
    os.utime(picture, ns=(5, 7_000_000_000))
    folder_names(container)
    assert file_state(container / picture.relative_to(folder)) == file_state(picture)


def test_a_missing_member_is_a_missing_file(folder: Path, tmp_path: Path) -> None:
    container = as_zip(folder, tmp_path / "packed")
    with pytest.raises(OSError, match="Not a directory"):
        read_file(container / "n01440764" / "no.JPEG")
    assert file_state(container / "n01440764" / "no.JPEG") == NO_FILE
    with pytest.raises(DataError, match="no such folder"):
        folder_names(container / "n99999999")


def test_a_folder_beside_its_archives_is_the_folder(folder: Path, tmp_path: Path) -> None:
    as_tar(folder, folder)
    (folder / "state.json").write_text("{}")
    assert len(folder_names(folder)) == 5
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "cat1-dog2.png").touch()
    as_tar(folder, flat)
    assert folder_names(flat) == []


def test_a_tree_below_the_top_is_named_by_its_path(folder: Path, tmp_path: Path) -> None:
    container = as_zip(tmp_path / "val", tmp_path / "packed")
    shutil.move(tmp_path / "val", tmp_path / "top" / "val")
    container = as_zip(tmp_path / "top", tmp_path / "packed")
    assert folder_names(container) == ["val"]
    assert len(folder_names(container / "val")) == 5


def test_marks_in_a_container_are_seen(folder: Path, tmp_path: Path) -> None:
    (folder / "DEMO.txt").write_text("demo")
    container = as_zip(folder, tmp_path / "packed")
    assert len(folder_names(container)) == 5
    assert file_exists(container / "DEMO.txt")
    assert not file_exists(container / "LICENSE.txt")


def test_a_file_of_another_kind_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "val.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match=r"val\.rar: is a file, not a folder, nor a \.zip"):
        folder_names(tmp_path / "val.rar")


@pytest.mark.slow
def test_a_lost_file_of_a_data_set_is_named(folder: Path, tmp_path: Path) -> None:
    container = as_arrow(folder, tmp_path / "packed")
    (container / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"data-00001-of-00002\.arrow: No such file"):
        folder_names(container)


def test_clips_are_files_too(tmp_path: Path) -> None:
    clip = tmp_path / "clips" / "n01440764" / "a.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"clip")
    container = as_tar(tmp_path / "clips", tmp_path / "packed")
    assert [f.files for f in list_folders(container, CLIP_SUFFIXES)] == [(("a.mp4", 4),)]


def test_a_list_and_what_is_chosen_of_it(folder: Path, tmp_path: Path) -> None:
    rows = [(path.name, path.parent.name, str(path)) for path in pictures(folder)]
    container = write_list(tmp_path / "l.csv", ("name", "kind", "where"), rows)
    with pytest.raises(DataError, match="no column path or image among name, kind, where"):
        folder_names(container)
    opened.choose(container, opened.Choices(path="where", label="kind"))
    assert list_folders(container, PICTURE_SUFFIXES) == list_folders(folder, PICTURE_SUFFIXES)
