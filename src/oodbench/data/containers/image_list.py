"""A list of pictures: a CSV file whose rows are paths and labels of files that lie elsewhere."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from oodbench.core.errors import DataError, first_line, printable
from oodbench.data.containers.base import Choices, Contents, Member, check_size
from oodbench.data.containers.columns import IMAGE, find_columns
from oodbench.data.containers.labels import Row, named_rows
from oodbench.data.file_names import DEMO_MARK

_MARK = -1
"""Stands in the place of a row for the mark of demo data."""


class ImageList:
    """A CSV file with a header; paths are relative to its folder, or absolute.

    Args:
        path: of the file.
        choices: which columns are path and label.
    """

    def __init__(self, path: Path, choices: Choices) -> None:
        self.files: Sequence[Path] = [path]
        self._choices = choices
        self._targets: list[str] | None = None

    def contents(self) -> Contents:
        """The pictures of the list by their names and labels.

        Raises:
            DataError: no CSV file of UTF-8, a row without a path, or a picture is missing.
            ConfigError: a chosen column or list is not there.
        """
        rows = self._rows()
        places = named_rows(self.files[0], rows, self._choices)
        self._targets = [str(row.path) for row in rows]
        members = [
            Member(f"{place.folder}/{place.name}", self._size(row), 0, number)
            for number, (row, place) in enumerate(zip(rows, places, strict=True))
        ]
        mark = self._demo_mark()
        return Contents(members + ([Member(DEMO_MARK, 0, 0, _MARK)] if mark else []))

    def read(self, member: Member) -> bytes:
        """The bytes of the file.

        Raises:
            OSError: it cannot be read.
        """
        return self._target(member).read_bytes()

    def state(self, member: Member) -> os.stat_result:
        """Of the picture's own file."""
        return self._target(member).stat()

    def _target(self, member: Member) -> Path:
        if member.offset == _MARK:
            return self._demo_mark() or self.files[0]
        return self.files[0].parent / self._all_targets()[member.offset]

    def _all_targets(self) -> list[str]:
        if self._targets is None:
            self._targets = [str(row.path) for row in self._rows()]
        return self._targets

    def _demo_mark(self) -> Path | None:
        """Beside the list or the class folders of its pictures: it holds for the list as well."""
        above = {self.files[0].parent, *(self.files[0].parent / t for t in self._target_folders())}
        return next((f / DEMO_MARK for f in sorted(above) if (f / DEMO_MARK).is_file()), None)

    def _target_folders(self) -> set[Path]:
        return {Path(target).parent.parent for target in self._all_targets()}

    def _size(self, row: Row) -> int:
        target = self.files[0].parent / str(row.path)
        try:
            size = target.stat().st_size
        except OSError as error:
            raise DataError(f"{row.where}: {target}: {error.strerror}") from None
        check_size(target, row.where, size)
        return size

    def _rows(self) -> list[Row]:
        file = self.files[0]
        try:
            with file.open(encoding="utf-8-sig", newline="") as opened:
                reader = csv.DictReader(opened, strict=True)
                names = [name for name in reader.fieldnames or () if name]
                columns = find_columns(file, names, self._choices)
                column = columns.path or columns.image
                if column is None:
                    raise DataError(
                        f"{file}: no column path or {IMAGE[0]} among {', '.join(names) or 'none'}: "
                        "name it with data.container.path"
                    )
                rows = [
                    Row(
                        row[column], row[columns.label] if columns.label else None, f"{file}:{line}"
                    )
                    for line, row in enumerate(reader, start=2)
                ]
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{file}: no CSV file of UTF-8: {first_line(error)}") from None
        for row in rows:
            if not row.path or "\0" in row.path:
                raise DataError(f"{row.where}: no path of a picture: {printable(repr(row.path))}")
        return rows
