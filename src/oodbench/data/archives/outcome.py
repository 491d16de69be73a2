"""What is said of a prepared data set: how much of it is there, and the next command."""

import shlex
from collections.abc import Callable
from pathlib import Path

from oodbench.data.archives.found import pictures_of
from oodbench.data.archives.receipt import Part, read_receipt
from oodbench.data.sets.facts import DataSet


def say_outcome(
    data_set: DataSet,
    place: Path,
    root: Path,
    benchmark: str | None,
    report: Callable[[str], None],
) -> None:
    """Lines on what is there, what is missing, and the command that measures it.

    Args:
        data_set: its facts.
        place: its folder.
        root: the data root, as the user gave it.
        benchmark: that reads it; None: none.
        report: called with each line.
    """
    parts = read_receipt(place)
    optional = {archive.file for archive in data_set.archives if archive.optional}
    n_files = sum(part["files"] for name, part in parts.items() if name not in optional)
    n_more = sum(part["files"] for part in parts.values()) - n_files
    expected = "" if data_set.n_files is None else f" of {data_set.n_files}"
    more = f", and {n_more} from optional archives" if n_more else ""
    report(f"{data_set.name}: {n_files}{expected} files in {place}{more}; {_verified(parts)}")
    missing = [
        archive
        for archive in pictures_of(data_set)
        if not archive.optional and archive.file not in parts
    ]
    if missing and "folder" not in parts:
        names = ", ".join(archive.file for archive in missing)
        report(f"missing: {names}: run the same command with --from where they are")
    elif data_set.n_files is not None and n_files != data_set.n_files:
        report(
            f"warning: {abs(data_set.n_files - n_files)} files "
            f"{'missing' if n_files < data_set.n_files else 'too many'}: results need "
            "data.allow_partial=true and are marked"
        )
    if benchmark is not None:
        report(f"next: oodbench model=resnet50 benchmark={benchmark} data.root={_word(root)}")


def _verified(parts: dict[str, Part]) -> str:
    unverified = [name for name, part in parts.items() if part["verified"] is None]
    if not unverified:
        return "sums as published"
    return f"not compared with a published sum: {', '.join(unverified)}"


def _word(path: Path) -> str:
    """As one types it: quoted for the shell where that is needed."""
    return shlex.quote(str(path))
