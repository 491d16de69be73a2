"""Samples of a webdataset: files of one key, such as `key.jpg`, `key.cls` and `key.json`.

The key is the path up to the first dot of the file name, the rest is the ending, as in the package
webdataset.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from oodbench.core.errors import DataError, printable
from oodbench.data.containers.base import Choices, Member
from oodbench.data.containers.labels import Row, named_rows
from oodbench.data.file_names import CLIP_SUFFIXES, PICTURE_SUFFIXES

_CLASS, _JSON = "cls", "json"
_OF_LABELS = ("label", "class_id", "cls", "class", "wnid", "synset")
_OF_NAMES = ("filename", "file_name", "path", "image_path")
_MOST_TEXT = 1 << 20

Read = Callable[[Member], bytes]


def is_webdataset(members: Iterable[Member]) -> bool:
    """Whether classes or facts stand beside pictures of the same key."""
    endings: dict[tuple[int, str], set[str]] = {}
    for member in members:
        key, ending = _split(member.path)
        if ending in (_CLASS, _JSON) or _shows(ending):
            endings.setdefault((member.file, key), set()).add(ending)
            found = endings[member.file, key]
            if found & {_CLASS, _JSON} and any(map(_shows, found)):
                return True
    return False


def samples(
    files: Sequence[Path], members: Sequence[Member], choices: Choices, read: Read
) -> list[Member]:
    """The pictures, called `<class folder>/<file>`.

    The file is that of a field of the sample's JSON (`filename`, or the one that is chosen), else
    its key with its ending.

    Raises:
        DataError: a sample has no picture or several, no label, or one that does not fit; or two
            have one name.
    """
    groups: dict[tuple[int, str], dict[str, Member]] = {}
    for member in members:
        key, ending = _split(member.path)
        groups.setdefault((member.file, key), {})[ending] = member
    pictures, rows = [], []
    for (number, key), group in groups.items():
        where = f"{files[number]}: {printable(key)}"
        picture = _picture(where, group, choices.image)
        if picture is None:
            continue
        pictures.append(picture)
        rows.append(_row(where, group, picture, choices, read))
    found = named_rows(files[0].parent, rows, choices)
    return [
        picture._replace(path=f"{folder}/{name}")
        for picture, (folder, name) in zip(pictures, found, strict=True)
    ]


def _picture(where: str, group: dict[str, Member], chosen: str | None) -> Member | None:
    """None for what is no sample, such as a note."""
    if chosen is not None:
        return group.get(chosen.lstrip("."))
    shown = [ending for ending in group if _shows(ending)]
    if len(shown) > 1:
        raise DataError(
            f"{where}: pictures .{', .'.join(shown)}: choose an ending with data.container.image"
        )
    if not shown and _CLASS in group:
        raise DataError(
            f"{where}: no picture beside its .cls, only .{', .'.join(group)}: name the ending with "
            "data.container.image"
        )
    return group[shown[0]] if shown else None


def _row(
    where: str, group: dict[str, Member], picture: Member, choices: Choices, read: Read
) -> Row:
    facts = _facts(where, group, read)
    label = facts.get(choices.label) if choices.label else None
    if label is None and _CLASS in group:
        label = _text(where, group[_CLASS], read).strip()
    if label is None:
        label = next((facts[name] for name in _OF_LABELS if name in facts), None)
    names = (choices.path,) if choices.path else _OF_NAMES
    name = next((str(facts[name]) for name in names if facts.get(name)), picture.path)
    return Row(name, label, where)


def _facts(where: str, group: dict[str, Member], read: Read) -> dict[str, Any]:
    if _JSON not in group:
        return {}
    try:
        found = json.loads(_text(where, group[_JSON], read))
    except ValueError:
        raise DataError(f"{where}.json: not JSON: get the file again") from None
    return found if isinstance(found, dict) else {}


def _text(where: str, member: Member, read: Read) -> str:
    if member.size > _MOST_TEXT:
        raise DataError(f"{where}: {member.size} bytes of text beside a picture: not a webdataset")
    try:
        return read(member).decode()
    except UnicodeDecodeError:
        raise DataError(
            f"{where}: {printable(member.path)} is not text: get the file again"
        ) from None


def _split(path: str) -> tuple[str, str]:
    folder, slash, name = path.rpartition("/")
    stem, _, ending = name.partition(".")
    return folder + slash + stem, ending.lower()


def _shows(ending: str) -> bool:
    return f".{ending}" in PICTURE_SUFFIXES | CLIP_SUFFIXES
