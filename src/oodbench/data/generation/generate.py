"""What `oodbench-data corrupt` and `perturb` share: files made of ImageNet's clean pictures."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from oodbench.core.errors import DataError, OodbenchError
from oodbench.core.progress import Progress
from oodbench.core.versions import versions
from oodbench.data import manifest
from oodbench.data.entries import folder_exists
from oodbench.data.generation.checksums import ChecksumLogs, settle
from oodbench.data.generation.tasks import Maker, Task, carry_out
from oodbench.data.listing import PICTURE_SUFFIXES, Folder, list_folders, summarise
from oodbench.reference import imagenet_wnids

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Product:
    """What a subcommand makes.

    Attributes:
        command: the subcommand.
        data_set: the official one's name.
        unit: what the progress calls a file.
        cells_at_a_time: how many files of one picture make up a task; None: all of them.
        parameters_hash: sha256 of everything that the files depend on.
        versions: what else bytes may depend on, for these cells. Raises a ConfigError where
            something that they need is not installed.
        maker: how files are made; called when the needed packages are known to be there.
    """

    command: str
    data_set: str
    unit: str
    cells_at_a_time: int | None
    parameters_hash: Callable[[], str]
    versions: Callable[[Sequence[str]], dict[str, str | None]]
    maker: Callable[[], Maker]

    @property
    def notice(self) -> str:
        """First line of the manifest."""
        return manifest.notice(self.command, self.data_set)


@dataclass(frozen=True)
class GenerationPlan:
    """What to generate.

    Attributes:
        source: folder of the class folders with clean pictures.
        out: root of the data set.
        cells: folders below it, such as fog/3.
        seed: of the whole data set.
        workers: number of processes.
        skip_damaged: leave out what cannot be read, instead of stopping.
    """

    source: Path
    out: Path
    cells: Sequence[str]
    seed: int
    workers: int
    skip_damaged: bool


def build(product: Product, plan: GenerationPlan) -> None:
    """Make whatever is missing of the plan.

    The same versions of the packages give the same bytes, for any number of workers and after any
    number of interruptions. Files that are there are whole, and left alone.

    Raises:
        DataError: the source is not a folder of class folders, a picture of it cannot be read, or
            the output folder holds something else or cannot be written.
        ConfigError: something is not installed.
    """
    versions = product.versions(plan.cells)
    maker = product.maker()
    folders = _source_folders(plan.source)
    own = {
        "notice": product.notice,
        "seed": plan.seed,
        "parameters_sha256": product.parameters_hash(),
        "source": vars(summarise(folders)),
    }
    start = perf_counter()
    try:
        manifest.claim(plan.out, product.command, own, versions)
        manifest.keep_demo_mark(plan.source, plan.out)
        deep: set[str] = set()
        try:
            tasks = list(_tasks(product, plan, folders, maker))
            made, damaged = _make_missing(product, plan, tasks, deep)
        finally:  # of those that are finished nothing is read again
            n_deep = manifest.add_deep(plan.out, deep)
        complete = {cell: settle(plan.out / cell, maker.suffix) for cell in plan.cells}
        manifest.finish(plan.out, complete, damaged)
    except BrokenPipeError:  # of the terminal, not of the folder
        raise
    except OSError as error:
        raise DataError(
            f"{error.filename or plan.out}: {error.strerror or error}: fix it or choose another "
            "--out, then run the same command again"
        ) from error
    log.info(
        "%s: %d pictures, %d files of each; %d made in %.0f s%s; %s",
        *(plan.out, sum(len(folder.files) for folder in folders), len(plan.cells)),
        *(made, perf_counter() - start),
        f", {len(damaged)} damaged pictures left out" if damaged else "",
        product.notice,
    )
    if n_deep:
        log.warning(
            "%d clean pictures have more than 8 bits a channel (%s lists them): values above 255 "
            "are cut off, as torchvision does; save them with 8 bits to keep them",
            n_deep,
            plan.out / manifest.NAME,
        )


def package_versions(*packages: str) -> dict[str, str | None]:
    """Versions of oodbench, NumPy, OpenCV, Pillow and of further packages.

    Raises:
        ConfigError: OpenCV is not installed.
    """
    from oodbench.data.corruptions.opencv import cv2

    found = versions(("oodbench", "numpy", "pillow", *packages))
    return {**found, "opencv": cv2.__version__}


def _source_folders(source: Path) -> list[Folder]:
    if not folder_exists(source):
        raise DataError(
            f"{source}: no such folder; point --source at the folder of ImageNet's validation "
            "pictures, one folder per class"
        )
    folders = list_folders(source, PICTURE_SUFFIXES)
    known = set(imagenet_wnids())
    for folder in folders:
        if folder.name not in known:
            raise DataError(
                f"{source / folder.name}: not a synset id of ImageNet-1k; name class folders "
                "n01440764, …, and point --source at their folder"
            )
        stems: dict[str, str] = {}
        for name, _ in folder.files:
            other = stems.setdefault(Path(name).stem, name)
            if other != name:
                raise DataError(
                    f"{source / folder.name / name}: {other} beside it would get the same name; "
                    "rename one of them"
                )
    return folders


def _make_missing(
    product: Product, plan: GenerationPlan, tasks: Sequence[Task], deep: set[str]
) -> tuple[int, dict[str, str]]:
    """Number of files made, and the reason for each picture that was left out.

    Args:
        deep: names of pictures of more than 8 bits a channel are added to it.
    """
    from oodbench.data.generation.workers import carried_out

    made = 0
    damaged: dict[str, str] = {}
    n_files = sum(len(task.cells) for task in tasks)
    workers = min(plan.workers, max(len(tasks), 1))
    with (
        Progress(n_files, product.command, product.unit) as progress,
        ChecksumLogs() as checksums,
        closing(carried_out(carry_out, tasks, workers)) as results,
    ):
        for task, outcome in results:
            name = f"{task.class_name}/{task.source.name}"
            if isinstance(outcome, OodbenchError):
                if not plan.skip_damaged or not isinstance(outcome, DataError):
                    raise outcome
                if name not in damaged:
                    log.info("left out: %s", outcome)
                damaged[name] = str(outcome)
            else:
                made += len(outcome.checksums)
                if outcome.deep:
                    deep.add(name)
                for cell, checksum in outcome.checksums.items():
                    checksums.note(plan.out / cell, task.file, checksum)
            progress.advance(len(task.cells))
    return made, damaged


def _tasks(
    product: Product, plan: GenerationPlan, folders: Sequence[Folder], maker: Maker
) -> Iterator[Task]:
    for folder in folders:
        there = {cell: _names(plan.out / cell / folder.name) for cell in plan.cells}
        for name, _ in folder.files:
            file = Path(name).stem + maker.suffix
            missing = [cell for cell in plan.cells if file not in there[cell]]
            size = product.cells_at_a_time or len(missing)
            for start in range(0, len(missing), size or 1):
                cells = missing[start : start + size]
                source = plan.source / folder.name / name
                yield Task(source, folder.name, cells, plan.out, plan.seed, maker)


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - names only
    except FileNotFoundError:
        return frozenset()
