"""The index of a data set: which files its archive holds, beside the files.

Where nobody has published how many there are, the archive's own table of contents is the source;
what unpacks it leaves a list of the names.
"""

from collections.abc import Collection
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.manifest import FILE_INDEX


def indexed_count(root: Path, folders: Collection[str]) -> int | None:
    """How many files the archive holds in these folders; None where there is no index.

    Args:
        root: folder of the data set; its file `FILES.txt` has a path a line, of which the folder's
            name is the last but one part.
        folders: their names.

    Raises:
        DataError: the index cannot be read, or lists none of these folders.
    """
    path = root / FILE_INDEX
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; unpack the archive again") from None
    count = sum(_folder(line) in folders for line in lines)
    if not count:
        raise DataError(f"{path}: lists none of the data set's folders; unpack the archive again")
    return count


def _folder(line: str) -> str:
    parts = line.strip().rsplit("/", 2)
    return parts[-2] if len(parts) > 1 and parts[-1] else ""
