"""A data set in the making: beside its place, hidden, until it is whole.

`.<name>.preparing/<archive>/` holds what has been unpacked of an archive, and the note of the
folder says which archives are done. What is in a data set's place was moved there whole.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import PART, read_json, write_json
from oodbench.data.archives.receipt import FOLDER, NAME, Part, read_receipt, write_receipt

_SOURCE = ".source.json"
"""Ends the name of the note beside an unfinished folder that says what is read into it."""


class Staging:
    """The folder in which one data set is made.

    Args:
        place: where it has to be, without links in it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder = place.with_name(f".{place.name}.preparing")

    def done(self) -> dict[str, Part]:
        """What is whole, in the place or in the making, by archive."""
        return {**read_receipt(self.folder), **read_receipt(self.place)}

    def start(self, archive: str, source: Path) -> Path:
        """The folder for what an archive holds; what an earlier run has unpacked stays.

        Args:
            archive: its official name.
            source: the file that is read; where another one, or a changed one, was read before,
                what came of it is removed.
        """
        tree = self.folder / archive
        stat = source.stat()
        identity = [str(source.resolve()), stat.st_size, stat.st_mtime_ns]
        if tree.is_dir() and read_json(self._source(archive)) != identity:
            shutil.rmtree(tree)
        tree.mkdir(parents=True, exist_ok=True)
        write_json(self._source(archive), identity)
        return tree

    def start_folder(self, source: Path) -> Path:
        """The folder for the files of a folder; nothing is removed, they may have been moved here.

        Raises:
            DataError: it holds files of another folder.
        """
        tree = self.folder / FOLDER
        tree.mkdir(parents=True, exist_ok=True)
        earlier = read_json(self._source(FOLDER))
        if earlier not in (None, str(source.resolve())):
            raise DataError(
                f"{tree}: holds files that an interrupted run took from {earlier}: give "
                "--from that folder to go on, or move these files away"
            )
        write_json(self._source(FOLDER), str(source.resolve()))
        return tree

    def finish(self, archive: str, part: Part) -> None:
        """Note that an archive is unpacked and compared."""
        write_receipt(self.folder, {**read_receipt(self.folder), archive: part})
        self._source(archive).unlink(missing_ok=True)

    def drop(self, archive: str) -> None:
        """Remove what came of an archive that is refused."""
        self._remove(archive)
        with suppress(OSError):  # missing, or not empty
            self.folder.rmdir()

    def publish(self, *, into: bool) -> None:
        """Move all that is done to its place, and remove what is left of the making.

        A place that does not exist appears in one step; into one that does, each folder at the top
        is moved whole, and folders that are empty then are removed.

        Args:
            into: whether the place exists and is added to.

        Raises:
            DataError: a folder is in the way.
        """
        parts = read_receipt(self.folder)
        if parts:
            target = self.place if into else self.folder / ".tree"
            target.mkdir(exist_ok=True)
            for archive in parts:
                self._move(self.folder / archive, target)
            _remove_empty_folders(target)
            remove_parts(target)
            write_receipt(target, {**read_receipt(target), **parts})
            os.sync()
            if not into:
                target.replace(self.place)
        self._remove_rest(parts)

    def _remove_rest(self, parts: dict[str, Part]) -> None:
        """All but what other archives and folders have left unfinished."""
        for archive in parts:
            self._remove(archive)
        if self.folder.is_dir():
            (self.folder / NAME).unlink(missing_ok=True)
            remove_parts(self.folder)
            with suppress(OSError):  # not empty
                self.folder.rmdir()

    def _remove(self, archive: str) -> None:
        shutil.rmtree(self.folder / archive, ignore_errors=True)
        self._source(archive).unlink(missing_ok=True)

    def _source(self, archive: str) -> Path:
        return self.folder / f".{archive}{_SOURCE}"

    def _move(self, tree: Path, target: Path) -> None:
        if not tree.is_dir():
            return
        for path in sorted(tree.iterdir()):
            with suppress(OSError):  # missing, or not empty
                (target / path.name).rmdir()
            if (target / path.name).exists():
                raise DataError(
                    f"{target / path.name}: there already, and would come from {tree.name} too: "
                    "move it away, then run the same command again"
                )
            path.rename(target / path.name)


def write_file(path: Path, content: bytes) -> None:
    """Write a file, unless it is there with this content; never through a link."""
    try:
        file = path.open("xb")
    except FileExistsError:
        if path.is_file() and path.read_bytes() == content:
            return
        path.unlink()
        file = path.open("xb")
    with file:
        file.write(content)


def _remove_empty_folders(folder: Path) -> None:
    """At the top: those from which all files were moved."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # not empty
                path.rmdir()


def remove_parts(folder: Path) -> None:
    """Remove notes that a killed process has not finished to write."""
    for path in folder.glob(f".*{PART}"):
        path.unlink()
