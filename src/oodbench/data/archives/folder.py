"""Files of a folder that is there already, as if they were members of an archive."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.archives.members import Member
from oodbench.data.archives.names import safe_parts
from oodbench.data.entries import OF_SYSTEMS


class FolderSource:
    """All files below a folder; hidden ones and those of systems are left out.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def members(self) -> Iterator[Iterator[Member]]:
        """Every file, links to files among them; links to folders are not followed.

        Raises:
            DataError: a name that cannot be a picture's, or a link that leads nowhere.
        """
        yield self._each()

    def _each(self) -> Iterator[Member]:
        for folder, folders, files in os.walk(self._path, onerror=_refuse):
            folders[:] = sorted(name for name in folders if _is_wanted(name))
            for name in sorted(filter(_is_wanted, files)):
                path = Path(folder, name)
                if not path.is_file():
                    raise DataError(f"{path}: a link that leads nowhere: mend or remove it")
                inside = path.relative_to(self._path).as_posix()
                yield Member(
                    safe_parts(inside, str(self._path)),
                    path.stat().st_size,
                    path.read_bytes,
                    path,
                )


def _is_wanted(name: str) -> bool:
    return not name.startswith((".", "$")) and name not in OF_SYSTEMS


def _refuse(error: OSError) -> None:
    raise error
