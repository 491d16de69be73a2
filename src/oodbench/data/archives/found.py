"""Which of the files that a user names are which archives of a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from oodbench.core.errors import DataError
from oodbench.data.sets.facts import Archive, DataSet


@dataclass
class Found:
    """What there is to prepare a data set from.

    Attributes:
        archives: by their official names.
        folder: of pictures that are unpacked already.
    """

    archives: dict[str, Path] = field(default_factory=dict)
    folder: Path | None = None


def find(data_set: DataSet, given: Sequence[Path]) -> Found:
    """Recognise archives by name.

    In a folder, a subfolder of the data set's name is looked at first: archives of ImageNet-C and
    -P have the same names. A folder without archives is one of pictures. A single file of another
    name stands for the one archive that there is.

    Args:
        data_set: its facts.
        given: files and folders.

    Raises:
        DataError: a path is missing, or nothing was found.
    """
    found = Found()
    for path in given:
        if path.is_dir():
            inside = _in_folder(data_set, path)
            if not any(archive.file in inside for archive in pictures_of(data_set)):
                _take_folder(found, path)
            found.archives |= inside
        elif path.is_file():
            found.archives[_named(data_set, path)] = path
        else:
            raise DataError(f"{path}: no such file or folder; give --from what you downloaded")
    if found.folder is not None and _of_pictures(data_set, found):
        raise DataError(
            f"{found.folder}: a folder of pictures beside archives; give --from one or the other"
        )
    return found


def pictures_of(data_set: DataSet) -> list[Archive]:
    """The archives that hold pictures or clips."""
    return [archive for archive in data_set.archives if archive.pictures]


def _of_pictures(data_set: DataSet, found: Found) -> list[str]:
    return [archive.file for archive in pictures_of(data_set) if archive.file in found.archives]


def _names(archive: Archive) -> Iterator[str]:
    yield archive.file
    for url in filter(None, [archive.url, *archive.mirrors]):
        yield unquote(urlsplit(url).path.rpartition("/")[2])


def _in_folder(data_set: DataSet, folder: Path) -> dict[str, Path]:
    return {
        archive.file: path
        for archive in data_set.archives
        for path in reversed(
            [place / name for place in (folder / data_set.name, folder) for name in _names(archive)]
        )
        if path.is_file()
    }


def _named(data_set: DataSet, path: Path) -> str:
    for archive in data_set.archives:
        if path.name in _names(archive):
            return archive.file
    pictures = pictures_of(data_set)
    if len(pictures) == 1:
        return pictures[0].file
    known = ", ".join(archive.file for archive in data_set.archives)
    raise DataError(f"{path}: none of the archives of {data_set.name}, which are {known}")


def _take_folder(found: Found, path: Path) -> None:
    if found.folder is not None:
        raise DataError(f"{found.folder}, {path}: give one folder of pictures")
    found.folder = path
