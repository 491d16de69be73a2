"""Small versions of the data sets in their real layouts."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from oodbench.core.errors import DataError
from oodbench.core.files import read_json, write_json, write_text
from oodbench.data.demo.plan import NOTICE, DemoDataSet, demo_data_sets
from oodbench.data.demo.sources import sources_folder

VERSION = 2
"""Raised whenever a file of the demo data changes."""

_README = f"""\
{NOTICE}.

version {VERSION}, made by `oodbench-data demo` from the 20 ImageNet pictures that the Python
package foolbox ships. The folders have the layouts of the real data sets:

imagenet/val             the 20 pictures, unchanged; the numbers in their names are made up
imagenet-a               those in ImageNet-A's 200 classes, with a crop and a rotation of each
imagenet-c               4 pictures in 15 corruptions of 5 severities
imagenet-p               2 clips of each of 10 perturbations, encoded quickly
imagenet-sketch/sketch   edges of the 20 pictures
cue-conflict             shape of one picture in the texture of another (no style transfer)

Results on a folder with a DEMO.txt are marked as demo results. The file demo.json is written last:
where it is missing, `oodbench-data demo --out` on this folder makes what is missing.
"""


def build_demo(directory: Path, report: Callable[[str], None] = print) -> None:
    """Make whatever is missing of the demo data below `directory`.

    The same versions of NumPy, OpenCV, Pillow and PyAV give the same bytes. Files that are there
    are left as they are; a finished folder is left alone.

    Args:
        directory: created if needed.
        report: called with one line for each finished data set.

    Raises:
        DataError: foolbox is missing, the folder holds something else, or cannot be written.
        ConfigError: OpenCV or the textures of frost are missing.
    """
    data_sets = demo_data_sets()
    manifest = _manifest(data_sets)
    total = manifest["files"]
    try:
        if _is_finished(directory, data_sets, manifest):
            report(f"{directory}: demo data complete already ({total} files), nothing to do")
            return
        sources = sources_folder()
        _ask_for_corruptions()
        _claim(directory, manifest)
        for data_set in data_sets:
            report(_build(data_set, directory, sources))
        write_json(directory / "demo.json", manifest)
    except BrokenPipeError:  # of the terminal, not of the folder
        raise
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"{error.filename or directory}: {reason}: fix it or choose another --out, "
            "then run the same command again"
        ) from error
    report(f"{directory}: demo data complete ({total} files); {NOTICE}")


def _ask_for_corruptions() -> None:
    """Fail before anything is written where OpenCV or a texture of frost is missing."""
    from oodbench.data.corruptions.frost_textures import frost_textures

    frost_textures()


def _manifest(data_sets: tuple[DemoDataSet, ...]) -> dict[str, Any]:
    counts = {data_set.name: len(data_set.files) for data_set in data_sets}
    readme = 1
    return {
        "notice": NOTICE,
        "version": VERSION,
        "files": sum(counts.values()) + readme,
        "data_sets": counts,
    }


def _is_finished(
    directory: Path, data_sets: tuple[DemoDataSet, ...], manifest: dict[str, Any]
) -> bool:
    paths = ["README.txt", *(file.path for data_set in data_sets for file in data_set.files)]
    return read_json(directory / "demo.json") == manifest and all(
        (directory / path).is_file() for path in paths
    )


def _claim(directory: Path, manifest: dict[str, Any]) -> None:
    """Write the README, the sign that the folder is ours, unless it holds something else."""
    readme = directory / "README.txt"
    ours = read_json(directory / "demo.json") == manifest or (
        readme.is_file() and readme.read_text(encoding="utf-8", errors="replace") == _README
    )
    if not ours and directory.exists() and not _is_empty(directory):
        raise DataError(
            f"{directory} is not empty and was not made by version {VERSION} of the demo: "
            "choose a new or empty folder with --out"
        )
    write_text(readme, _README)
    (directory / "demo.json").unlink(missing_ok=True)


def _is_empty(directory: Path) -> bool:
    return all(path.name.startswith(".") for path in directory.iterdir())


def _build(data_set: DemoDataSet, directory: Path, sources: Path) -> str:
    start = perf_counter()
    missing = [file for file in data_set.files if not (directory / file.path).is_file()]
    for file in missing:
        file.write(sources, directory / file.path)
    seconds = perf_counter() - start
    return (
        f"{data_set.name:<16}{len(data_set.files):>4} files, {len(missing):>3} made, "
        f"{seconds:.1f} s"
    )
