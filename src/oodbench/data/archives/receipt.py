"""The note that a prepared data set holds of what it was made from."""

from pathlib import Path
from typing import Any, TypedDict

from oodbench.core.files import read_json, write_json

NAME = ".prepared.json"
"""Hidden, so that no benchmark takes it for a picture."""


FOLDER = "folder"
"""Stands for an archive's name where pictures come from a folder."""


class Part(TypedDict):
    """What came from one archive, or from a folder.

    Attributes:
        files: pictures or clips.
        verified: the sum that was compared, `sha256` or `md5`; None where none was.
    """

    files: int
    verified: str | None


def read_receipt(folder: Path) -> dict[str, Part]:
    """By the official name of the archive; empty where there is no note."""
    content: Any = read_json(folder / NAME)
    if not isinstance(content, dict) or not isinstance(content.get("parts"), dict):
        return {}
    return dict(content["parts"])


def n_folders(folder: Path) -> int | None:
    """How many folders there were at the top when the note was written."""
    content: Any = read_json(folder / NAME)
    return content.get("folders") if isinstance(content, dict) else None


def write_receipt(folder: Path, parts: dict[str, Part]) -> None:
    """Write the note, with the number of folders that there are now."""
    write_json(folder / NAME, {"parts": parts, "folders": count_folders(folder)})


def count_folders(folder: Path) -> int:
    """Folders at the top, without hidden ones."""
    return sum(1 for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
