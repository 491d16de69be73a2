"""Which container a path is, by the ending of a file or by what a folder holds."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.containers.arrow_files import ArrowContainer
from oodbench.data.containers.base import Choices, Container
from oodbench.data.containers.image_list import ImageList
from oodbench.data.containers.parquet_files import ParquetContainer
from oodbench.data.containers.tar_files import TarContainer
from oodbench.data.containers.zip_file import ZipContainer
from oodbench.data.file_names import CLIP_SUFFIXES, PICTURE_SUFFIXES

ARROW_STATE = "state.json"
"""In every folder of `datasets.save_to_disk`."""

_SHARD = re.compile(r"(.*?)[-_.]?\d+(-of-\d+)?")
"""Of the name of a shard before its ending: the name of the split, and its number."""

_OF_FOLDERS: Mapping[str, Callable[[Sequence[Path], Choices], Container]] = {
    ".tar": TarContainer,
    ".parquet": ParquetContainer,
}
_OF_FILES: Mapping[str, Callable[[Path, Choices], Container]] = {
    ".zip": lambda path, choices: ZipContainer(path),
    ".tar": lambda path, choices: TarContainer([path], choices),
    ".parquet": lambda path, choices: ParquetContainer([path], choices),
    ".arrow": lambda path, choices: ArrowContainer([path], choices),
    ".csv": ImageList,
}

_MARKS = (ARROW_STATE, *_OF_FOLDERS)

Open = Callable[[Choices], Container]


def may_be_container(names: Iterable[str]) -> bool:
    """Whether a folder with such files may hold the shards of a container."""
    return any(name.lower().endswith(_MARKS) for name in names)


def kind_of(base: Path, first: str | None) -> tuple[Path, Open] | None:
    """The container that a file or folder is; None for any other.

    Args:
        base: what exists of a path.
        first: the part of the path below it: the split, where a folder has several.

    Returns:
        Its path, with the split where that is a part of it, and how it is opened.

    Raises:
        DataError: a folder has shards of several splits, and none is chosen; the list of its files
            is damaged.
    """
    if base.is_file():
        of_file = _OF_FILES.get(base.suffix.lower())
        return None if of_file is None else (base, partial(of_file, base))
    found = [entry for entry in base.iterdir() if not entry.name.startswith(".")]
    if not may_be_container(entry.name for entry in found) or any(map(_is_of_a_tree, found)):
        return None
    if (base / ARROW_STATE).is_file():
        return base, partial(ArrowContainer, _arrow_files(base))
    return _shards(base, sorted(found), first)


def _shards(base: Path, found: Sequence[Path], first: str | None) -> tuple[Path, Open] | None:
    """The files of one split."""
    endings = {ending for path in found if (ending := _ending(path.name)) in _OF_FOLDERS}
    if not endings:
        return None
    if len(endings) > 1:
        raise DataError(f"{base}: both .parquet and .tar files: keep those of one kind")
    ending = endings.pop()
    opened = _OF_FOLDERS[ending]
    files = [path for path in found if _ending(path.name) == ending]
    splits: dict[str, list[Path]] = {}
    for path in files:
        match = _SHARD.fullmatch(path.name[: -len(ending)])
        if match and match[1]:
            splits.setdefault(match[1], []).append(path)
    if len(splits) < 2:
        return base, partial(opened, files)
    if first not in splits:
        raise DataError(
            f"{base}: files of {len(splits)} splits, {', '.join(sorted(splits))}: name one, such "
            f"as benchmark.root={base / max(splits)}"
        )
    return base / first, partial(opened, splits[first])


def _arrow_files(base: Path) -> list[Path]:
    file = base / ARROW_STATE
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["_data_files"]
        names = [str(entry["filename"]) for entry in listed]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{file}: does not list the files of a data set: save it again") from None
    if not names or any("/" in name or name in ("", ".", "..") for name in names):
        raise DataError(f"{file}: lists no files, or files elsewhere: save the data set again")
    return [base / name for name in names]


def _is_of_a_tree(path: Path) -> bool:
    """Pictures and folders are read as they are, whatever archives lie beside them."""
    return _ending(path.name) in PICTURE_SUFFIXES | CLIP_SUFFIXES or path.is_dir()


def _ending(name: str) -> str:
    return Path(name).suffix.lower()
