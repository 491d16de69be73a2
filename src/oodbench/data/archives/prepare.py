"""From archives, or a folder of pictures, to the folder that a benchmark reads."""

import logging
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import locked
from oodbench.core.progress import Progress
from oodbench.data.archives.arrangements.base import Arrangement
from oodbench.data.archives.arrangements.table import arrangement
from oodbench.data.archives.folder import FolderSource
from oodbench.data.archives.found import Found, find, pictures_of
from oodbench.data.archives.members import Member, Source
from oodbench.data.archives.outcome import say_outcome
from oodbench.data.archives.placing import How, place_all
from oodbench.data.archives.receipt import Part, count_folders, n_folders, read_receipt
from oodbench.data.archives.space import check_space
from oodbench.data.archives.staging import Staging
from oodbench.data.archives.sums import Sum, check_size, check_sum
from oodbench.data.archives.tar import TarSource
from oodbench.data.archives.zip import Password, ZipSource
from oodbench.data.manifest import keep_demo_mark
from oodbench.data.sets.facts import Archive, DataSet

log = logging.getLogger(__name__)

FOLDER = "folder"
"""Stands for an archive's name where pictures come from a folder."""


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        data_set: its facts.
        given: archives, a folder that holds them, or a folder of unpacked pictures.
        root: the data root.
        how: what becomes of the files of a folder.
        verify: whether sizes and sums are compared with the published ones.
        password: asked for where an archive is encrypted.
        benchmark: that the command named at the end measures; None: none reads the data set.
    """

    data_set: DataSet
    given: Sequence[Path]
    root: Path
    how: How
    verify: bool
    password: Password
    benchmark: str | None

    @property
    def place(self) -> Path:
        """The folder of the data set, links resolved: it may be on another disk."""
        return (self.root / self.data_set.place).resolve()


def prepare(request: Request, report: Callable[[str], None] = print) -> None:
    """Unpack what is missing; a prepared data set is left alone.

    An interrupted call is continued by the same one: what was written is compared with the archive
    and kept. The place appears when everything of the archives is there and their sums are right.

    Args:
        request: what to prepare from what.
        report: called with lines for the user.

    Raises:
        DataError: nothing to prepare from, an archive is damaged or refused, something else is in
            the place, or there is too little room.
        ConfigError: the data set cannot be prepared from archives.
    """
    staging = Staging(request.place)
    with locked(request.place):
        found = find(request.data_set, request.given)
        waiting = _waiting(request, found, staging)
        if waiting:
            _check_place(request, found, staging)
            arranged = arrangement(request.data_set, found.archives)
            _unpack(request, waiting, arranged, staging)
        _check_unchanged(request.place)
        staging.publish(into=_is_added_to(request, found))
    say_outcome(request.data_set, request.place, request.root, request.benchmark, report)


def _waiting(request: Request, found: Found, staging: Staging) -> dict[str, Path]:
    """Archives, or the folder, that are not done yet, by official name."""
    done = staging.done()
    if found.folder is not None:
        sources = {FOLDER: found.folder}
    else:
        names = [archive.file for archive in pictures_of(request.data_set)]
        sources = {name: found.archives[name] for name in names if name in found.archives}
        if not sources:
            raise DataError(
                f"{', '.join(map(str, request.given))}: no archive of {request.data_set.name} "
                f"there; looked for {', '.join(names)}"
            )
    if FOLDER in done:
        return {}
    return {name: path for name, path in sources.items() if name not in done}


def _check_place(request: Request, found: Found, staging: Staging) -> None:
    place = request.place
    if _is_sorted_in_place(request, found):
        if request.how is not How.MOVE:
            raise DataError(
                f"{place}: the pictures are in the data set's own place: sort them there with "
                "--move, or move the folder away first"
            )
        return
    if place.exists() and not read_receipt(place) and any(place.iterdir()):
        raise DataError(
            f"{place}: there already, and not made by this command; "
            f"oodbench-data check {request.benchmark or request.data_set.name} says whether it is "
            "good; to make it anew, move it away first"
        )


def _check_unchanged(place: Path) -> None:
    expected = n_folders(place)
    if expected is not None and count_folders(place) < expected:
        raise DataError(
            f"{place}: {count_folders(place)} folders, {expected} when it was prepared: to make it "
            "anew, move it away first"
        )


def _is_sorted_in_place(request: Request, found: Found) -> bool:
    return found.folder is not None and found.folder.resolve() == request.place


def _is_added_to(request: Request, found: Found) -> bool:
    return bool(read_receipt(request.place)) or _is_sorted_in_place(request, found)


def _unpack(
    request: Request, waiting: dict[str, Path], arranged: Arrangement, staging: Staging
) -> None:
    archives = {archive.file: archive for archive in request.data_set.archives}
    for name, path in waiting.items():
        if request.verify and name in archives:
            check_size(archives[name], path)
    check_space(
        sum(_unpacked_size(path) for path in waiting.values()) if _writes(request, waiting) else 0,
        staging.folder,
        present=staging.folder,
    )
    for name, path in waiting.items():
        if name == FOLDER:
            _place_folder(request, path, arranged, staging)
        else:
            _place_archive(request, archives[name], path, arranged, staging)


def _writes(request: Request, waiting: dict[str, Path]) -> bool:
    return FOLDER not in waiting or request.how is How.COPY


def _unpacked_size(path: Path) -> int:
    """About how many bytes its files have: pictures hardly compress."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(
        Path(folder, name).stat().st_size
        for folder, _, names in os.walk(path)
        for name in names
        if Path(folder, name).is_file()
    )


def _place_folder(request: Request, path: Path, arranged: Arrangement, staging: Staging) -> None:
    keep = request.how is How.MOVE
    tree = staging.start(FOLDER, path, keep=keep)
    total = _unpacked_size(path)
    with MegaBytes(total, path.name) as progress, FolderSource(path).members() as members:
        place_all(members, arranged, tree, request.how, lambda member: progress.add(member.size))
    keep_demo_mark(path, tree)
    n_files = sum(1 for _, _, names in os.walk(tree) for name in names if name[0] != ".")
    if n_files == 0:
        staging.drop(FOLDER)
        names = ", ".join(archive.file for archive in request.data_set.archives)
        raise DataError(
            f"{path}: neither archives ({names}) nor pictures of {request.data_set.name} in it"
        )
    staging.finish(FOLDER, Part(files=n_files, verified=None))


def _place_archive(
    request: Request, archive: Archive, path: Path, arranged: Arrangement, staging: Staging
) -> None:
    tree = staging.start(archive.file, path, keep=False)
    digest = Sum(archive if request.verify else Archive(file=archive.file))
    is_zip = zipfile.is_zipfile(path)
    size = path.stat().st_size
    try:
        with MegaBytes(2 * size if is_zip else size, archive.file) as progress:
            source = _source(path, is_zip, digest, progress, request.password)
            if is_zip and request.verify:
                check_sum(archive, path, progress.add)
            with source.members() as members:
                n_files = place_all(members, arranged, tree, How.COPY, _nothing)
            if not is_zip:
                digest.check(path)
        if n_files == 0:
            raise DataError(
                f"{path}: no pictures of {request.data_set.name} in it: another archive"
            )
    except DataError:
        staging.drop(archive.file)
        raise
    verified = digest.kind if request.verify else None
    if verified is None:
        log.info("%s: not compared with a published sum", archive.file)
    staging.finish(archive.file, Part(files=n_files, verified=verified))


def _source(
    path: Path, is_zip: bool, digest: Sum, progress: "MegaBytes", password: Password
) -> Source:
    if is_zip:
        return ZipSource(path, password, progress.add)

    def passed(piece: bytes) -> None:
        digest.update(piece)
        progress.add(len(piece))

    return TarSource(path, passed)


def _nothing(member: Member) -> None:
    """Archives count their own bytes."""


class MegaBytes(Progress):
    """Progress in megabytes.

    Args:
        total: bytes.
        label: what is being done.
    """

    def __init__(self, total: int, label: str) -> None:
        super().__init__(max(1, total // 10**6), label, "MB")
        self._bytes = 0

    def add(self, n: int) -> None:
        """Count `n` more bytes."""
        before = self._bytes // 10**6
        self._bytes += n
        if self._bytes // 10**6 > before:
            self.advance(self._bytes // 10**6 - before)
