"""From the labels and paths of a container to `<class folder>/<file>`, as in a folder."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from oodbench.core.errors import ConfigError, DataError, printable
from oodbench.core.synsets import read_synset_ids
from oodbench.data.containers.base import Choices
from oodbench.data.containers.names import checked
from oodbench.reference import class_lists, imagenet_wnids, read_table

_SYNSET = re.compile(r"n\d{8}")
_IN_NAME = re.compile(r"(?:^(n\d{8})_|_(n\d{8})\.[^.]+$)")
"""Synset ids in the names of files: of training pictures, and of pictures that were renamed."""

_KEY = "data.container.classes"


class Row(NamedTuple):
    """What a container says of a picture.

    Attributes:
        path: or None where it has none.
        label: class index, its digits, a synset id, or the name of another folder.
        where: it stands, for messages.
    """

    path: str | None
    label: object
    where: str


class Place(NamedTuple):
    """Where a picture would lie unpacked; the name is None where the container has none."""

    folder: str
    name: str | None


def named_rows(
    where: Path, rows: Sequence[Row], choices: Choices, class_names: Sequence[str] | None = None
) -> list[Place]:
    """The place of every row.

    A path whose last folder is a synset id is kept, without what lies above all of them where it is
    absolute. Any other picture goes into the folder of its label; without a label its path is kept.

    Args:
        where: container, for messages.
        rows: in any order.
        choices: `classes` says what the labels are positions of.
        class_names: of the labels, where the container has them.

    Raises:
        DataError: a label is missing, out of range, contradicts the path, or may be a position in
            another list than the 1000 classes; class names are in another order.
        ConfigError: `classes` is no list.
    """
    paths = _below(where, [row.path for row in rows])
    folders = _Folders(where, choices, class_names, rows, paths)
    return [folders.place(row, path) for row, path in zip(rows, paths, strict=True)]


@dataclass(frozen=True)
class _Known:
    """What the numbers of labels stand for; `sure`: not to be taken for another list."""

    wnids: Sequence[str]
    sure: bool


class _Folders:
    def __init__(
        self,
        where: Path,
        choices: Choices,
        class_names: Sequence[str] | None,
        rows: Sequence[Row],
        paths: Sequence[str | None],
    ) -> None:
        known = _known(where, choices, class_names)
        self._wnids = known.wnids
        if not known.sure:
            pairs = zip(rows, paths, strict=True)
            _refuse_unsure(where, [row.label for row, path in pairs if _synset_of(path) is None])

    def place(self, row: Row, path: str | None) -> Place:
        folder = self._folder(row)
        shown = _synset_of(path)
        if folder and shown and _SYNSET.fullmatch(folder) and folder != shown:
            raise DataError(
                f"{row.where}: {printable(path or '')} is of {shown}, and label {row.label} of "
                f"{folder}: the labels count another list: name it with {_KEY}"
            )
        if path is None:
            if folder is None:
                raise DataError(f"{row.where}: neither a label nor a path")
            return Place(folder, None)
        above, _, name = path.rpartition("/")
        if _SYNSET.fullmatch(above.rpartition("/")[2]) or (folder is None and above):
            return Place(above, name)
        if folder is None and shown is None:
            raise DataError(f"{row.where}: {printable(path)} has no label and is in no folder")
        return Place(folder or shown or "", name)

    def _folder(self, row: Row) -> str | None:
        """Of the label; None where there is none."""
        number = _number(row.label)
        if number is None:
            text = "" if row.label is None else str(row.label).strip()
            return checked(text, Path(row.where)) if text else None
        if not 0 <= number < len(self._wnids):
            raise DataError(
                f"{row.where}: label {number}: expected 0 to {len(self._wnids) - 1}, positions in "
                f"a list of {len(self._wnids)} classes: name another list with {_KEY}"
            )
        return self._wnids[number]


def _known(where: Path, choices: Choices, class_names: Sequence[str] | None) -> _Known:
    chosen = None if choices.classes is None else chosen_classes(choices.classes)
    if class_names is None:
        return _Known(chosen or imagenet_wnids(), sure=chosen is not None)
    if all(_SYNSET.fullmatch(name) for name in class_names):
        return _Known(class_names, sure=True)
    if chosen is None and len(class_names) != len(imagenet_wnids()):
        raise DataError(
            f"{where}: labels of {len(class_names)} classes, such as {printable(class_names[0])}: "
            f"say what they are with {_KEY}: a list such as {_shorter_lists()}, or a file of "
            "synset ids in the order of the labels"
        )
    expected = chosen or imagenet_wnids()
    _check_names(where, class_names, expected)
    return _Known(expected, sure=True)


def chosen_classes(classes: str) -> Sequence[str]:
    """The synset ids that a list of `data.container.classes` has, in its order.

    Raises:
        ConfigError: neither a shipped list nor a file of synset ids of ImageNet-1k.
    """
    if classes in class_lists():
        return class_lists()[classes]
    if not Path(classes).is_file():
        raise ConfigError(
            f"{_KEY}={classes}: neither a file nor a class list; available: "
            f"{', '.join(class_lists())}"
        )
    return read_synset_ids(Path(classes), _KEY, among=frozenset(imagenet_wnids()))


def _refuse_unsure(where: Path, labels: Iterable[object]) -> None:
    """Labels 0 to 199 may be positions among the 200 classes of a subset: this is not guessed."""
    numbers = {number for label in labels if (number := _number(label)) is not None}
    n_classes = len(imagenet_wnids())
    if not numbers or max(numbers) == n_classes - 1:
        return
    if max(numbers) >= n_classes:
        raise DataError(
            f"{where}: labels up to {max(numbers)}, and the classes are 0 to {n_classes - 1}: do "
            f"they count from 1? Name a list with {_KEY}"
        )
    raise DataError(
        f"{where}: labels {min(numbers)} to {max(numbers)} may be positions in a list of fewer "
        f"classes: say which with {_KEY}: imagenet (the 1000), {_shorter_lists()}, or a file of "
        "synset ids in the order of the labels"
    )


def _shorter_lists() -> str:
    n_classes = len(imagenet_wnids())
    return ", ".join(name for name, wnids in class_lists().items() if len(wnids) < n_classes)


def _check_names(where: Path, names: Sequence[str], expected: Sequence[str]) -> None:
    """Names that are those of other classes tell that the labels are in another order."""
    if len(names) != len(expected):
        raise DataError(
            f"{where}: names of {len(names)} classes, and {_KEY} lists {len(expected)}: name the "
            "list that the labels count"
        )
    lemmas, n_alike = _lemmas(), 0
    for number, (name, wnid) in enumerate(zip(names, expected, strict=True)):
        said = _words(name)
        if said & lemmas[wnid]:
            n_alike += 1
        elif other := next((other for other, its in lemmas.items() if said & its), None):
            raise DataError(
                f"{where}: class {number} is called {printable(name)}, which is {other}, and the "
                f"list has {wnid} there: name the list that the labels count with {_KEY}"
            )
    if n_alike < len(names) / 2:
        raise DataError(
            f"{where}: only {n_alike} of the {len(names)} class names are those of ImageNet, such "
            f"as not {printable(names[0])}: is it another data set?"
        )


@cache
def _lemmas() -> Mapping[str, frozenset[str]]:
    return {row["wnid"]: _words(row["lemmas"]) for row in read_table("imagenet_1k_names.csv")}


def _words(name: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in name.replace("_", " ").split(","))


def _number(label: object) -> int | None:
    """A class index, also one that is written as text."""
    if isinstance(label, int) and not isinstance(label, bool):
        return label
    text = str(label).strip()
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else None


def _synset_of(path: str | None) -> str | None:
    """That the path itself says: of its folder, or in the name of the file."""
    if path is None:
        return None
    above, _, name = path.rpartition("/")
    folder = above.rpartition("/")[2]
    if _SYNSET.fullmatch(folder):
        return folder
    match = _IN_NAME.search(name)
    return (match[1] or match[2]) if match else None


def _below(where: Path, paths: Sequence[str | None]) -> list[str | None]:
    """Paths relative to what lies above all class folders, where any is absolute or leads out."""
    given = [path for path in paths if path]
    if not any(path.startswith("/") or ".." in path.split("/") for path in given):
        return [path and checked(path, where) for path in paths]
    base = str(where.parent.absolute())
    whole = [path and os.path.normpath(os.path.join(base, path)) for path in paths]  # noqa: PTH118
    above = os.path.commonpath([os.path.dirname(os.path.dirname(p)) for p in whole if p])  # noqa: PTH120
    return [path and checked(os.path.relpath(path, above), where) for path in whole]
