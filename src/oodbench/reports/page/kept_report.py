"""report.kept.json: what the last report rests on, so that it is not made again of the same."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from oodbench.core.checksum import agrees, checksum, write_checked
from oodbench.core.files import digest, read_json
from oodbench.core.versions import versions
from oodbench.runs.paths import all_runs, kept_report

_LIBRARIES = ("oodbench", "jinja2", "matplotlib", "numpy", "pandas")
_PACKAGES = ("oodbench", "oodbench.conf")


@dataclass(frozen=True)
class Kept:
    """A report that was written before.

    Attributes:
        files: of it, all as they were written.
        problems: one line for everything that could not be used.
    """

    files: list[Path]
    problems: list[str]


def grounds_of(output_root: Path, options: Iterable[str], normaliser: Path | None) -> str:
    """sha256 of what a report rests on: files of the runs, options, code and libraries.

    Of files their size, their place on the disk and the times of their last changes are read: one
    that is written again, with whatever times, gives another sum.

    Args:
        output_root: that it is of.
        options: of the report.
        normaliser: see `oodbench.reports.derived.derive`.
    """
    inputs: list[object] = []
    for paths in all_runs(output_root):
        for file in (paths.result, paths.info, paths.other_names):
            inputs.append([str(file), _stamp(file)])
        # Whoever finds a run's records damaged writes the same failure again.
        inputs.append(digest(paths.error, "sha256") if paths.error.is_file() else "")
    given = "" if normaliser is None or not normaliser.is_file() else digest(normaliser, "sha256")
    return checksum([inputs, list(options), given, _code(), versions(_LIBRARIES)])


def read_kept(output_root: Path, grounds: str) -> Kept | None:
    """The report of the same grounds, None where there is none or a file of it has changed."""
    with suppress(OSError, KeyError, TypeError, ValueError, AttributeError):
        stored = read_json(kept_report(output_root))
        if agrees(stored) and stored["rests_on"] == grounds:
            found: Mapping[str, str] = stored["files"]
            if all(digest(Path(file), "sha256") == sha256 for file, sha256 in found.items()):
                return Kept([Path(file) for file in found], list(stored["problems"]))
    return None


def keep(output_root: Path, grounds: str, kept: Kept) -> None:
    """Remember a report; a folder that cannot be written is no error."""
    sums = {str(file): digest(file, "sha256") for file in kept.files}
    content = {"rests_on": grounds, "files": sums, "problems": kept.problems}
    with suppress(OSError, UnicodeEncodeError):
        write_checked(kept_report(output_root), content)


def _stamp(file: Path) -> list[int]:
    """Nothing where there is no file."""
    try:
        found = file.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _code() -> str:
    """sha256 of the stamps of all files of oodbench."""
    found = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted(Path(str(files(package))).rglob("*.*")):
            if file.suffix != ".pyc" and file.is_file():
                found.update(f"{file}{_stamp(file)}".encode(errors="backslashreplace"))
    return found.hexdigest()
