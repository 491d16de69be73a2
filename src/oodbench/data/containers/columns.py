"""Which columns of a table are the pictures, their labels and their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import ConfigError, DataError
from oodbench.data.containers.base import Choices

IMAGE = ("image", "img", "jpg", "jpeg", "png", "picture")
LABEL = ("label", "labels", "class", "cls", "target", "class_id", "class_index", "wnid", "synset")
PATH = ("path", "file_name", "filename", "file", "image_path", "filepath", "image_id")


@dataclass(frozen=True)
class Columns:
    """Names of columns; None: the container has none of that kind."""

    image: str | None
    label: str | None
    path: str | None


def find_columns(
    where: Path,
    names: Sequence[str],
    choices: Choices,
    *,
    images: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Columns:
    """The columns that are chosen, of a type that says so, or of a usual name.

    Args:
        where: the container, for messages.
        names: of all columns.
        choices: of the user.
        images, labels: columns whose type says that they are.

    Raises:
        ConfigError: a chosen column is not there.
        DataError: several may be meant.
    """
    return Columns(
        _column(where, names, "image", choices.image, images, IMAGE),
        _column(where, names, "label", choices.label, labels, LABEL),
        _column(where, names, "path", choices.path, (), PATH),
    )


def _column(
    where: Path,
    names: Sequence[str],
    what: str,
    chosen: str | None,
    typed: Sequence[str],
    usual: Sequence[str],
) -> str | None:
    key = f"data.container.{what}"
    if chosen is not None:
        if chosen not in names:
            raise ConfigError(f"{key}={chosen}: {where} has the columns {', '.join(names)}")
        return chosen
    by_name: Mapping[str, str] = {name.lower(): name for name in reversed(names)}
    found = list(typed) or [by_name[name] for name in usual if name in by_name]
    if len(found) > 1:
        raise DataError(f"{where}: the {what} may be {', '.join(found)}: choose one with {key}")
    return found[0] if found else None
