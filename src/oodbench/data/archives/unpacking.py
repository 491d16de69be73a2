"""Unpacks archives, or takes the files of a folder, into the folder of the making."""

import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.data.archives.arrangements.base import Arrangement
from oodbench.data.archives.folder import FolderSource
from oodbench.data.archives.megabytes import MegaBytes
from oodbench.data.archives.members import Member, Source
from oodbench.data.archives.placing import How, place_all
from oodbench.data.archives.receipt import FOLDER, Part
from oodbench.data.archives.request import Request
from oodbench.data.archives.space import check_space
from oodbench.data.archives.staging import Staging
from oodbench.data.archives.sums import Sum, check_size, check_sum
from oodbench.data.archives.tar import TarSource
from oodbench.data.archives.web_page import refuse_web_page
from oodbench.data.archives.zip import ZipSource, is_zip
from oodbench.data.manifest import keep_demo_mark
from oodbench.data.sets.facts import Archive

log = logging.getLogger(__name__)


def unpack(
    request: Request, waiting: Mapping[str, Path], arranged: Arrangement, staging: Staging
) -> None:
    """Unpack what is not done yet.

    Args:
        request: what the user asked for.
        waiting: archives, or the folder, by official name.
        arranged: says where each member goes.
        staging: the folder of the making.

    Raises:
        DataError: an archive is damaged or refused, or there is too little room. Of a refused
            archive nothing stays.
    """
    archives = {archive.file: archive for archive in request.data_set.archives}
    for name, path in waiting.items():
        if name in archives:
            refuse_web_page(path)
            if request.verify:
                check_size(archives[name], path)
    # Pictures hardly compress: they take as much room as their archives.
    needed = sum(path.stat().st_size for name, path in waiting.items() if name in archives)
    check_space(needed, staging.folder, present=staging.folder)
    for name, path in waiting.items():
        if name == FOLDER:
            _take_folder(request, path, arranged, staging)
        else:
            _unpack_archive(request, archives[name], path, arranged, staging)


def _wanted_size(path: Path, arranged: Arrangement) -> int:
    """Bytes of the pictures among all that a folder holds."""
    with FolderSource(path).members() as members:
        return sum(member.size for member in members if arranged.place(member.parts) is not None)


def _take_folder(request: Request, path: Path, arranged: Arrangement, staging: Staging) -> None:
    size = _wanted_size(path, arranged)
    if request.how is How.COPY:
        check_space(size, staging.folder, present=staging.folder)
    tree = staging.start_folder(path)
    with MegaBytes(size, path.name) as progress, FolderSource(path).members() as members:
        place_all(members, arranged, tree, request.how, lambda member: progress.add(member.size))
    # Some may be of an earlier run that moved them.
    n_files = sum(1 for _, _, names in os.walk(tree) for name in names if name[0] != ".")
    if n_files == 0:
        staging.drop(FOLDER)
        names = ", ".join(archive.file for archive in request.data_set.archives)
        raise DataError(
            f"{path}: neither archives ({names}) nor pictures of {request.data_set.name} in it"
        )
    keep_demo_mark(path, tree)
    staging.finish(FOLDER, Part(files=n_files, verified=None))


def _unpack_archive(
    request: Request, archive: Archive, path: Path, arranged: Arrangement, staging: Staging
) -> None:
    tree = staging.start(archive.file, path)
    published = archive if request.verify else Archive(file=archive.file)
    try:
        kind, n_files = _verified_files(request, published, path, arranged, tree)
        if n_files == 0:
            raise DataError(
                f"{path}: no pictures of {request.data_set.name} in it: another archive"
            )
    except DataError:
        staging.drop(archive.file)
        raise
    if kind is None:
        log.info("%s: not compared with a published sum", archive.file)
    staging.finish(archive.file, Part(files=n_files, verified=kind))


def _verified_files(
    request: Request, published: Archive, path: Path, arranged: Arrangement, tree: Path
) -> tuple[str | None, int]:
    """The kind of sum that was compared, and how many files were written."""
    digest = Sum(published)
    size = path.stat().st_size
    packed = is_zip(path)
    twice = packed and digest.kind is not None
    with MegaBytes(2 * size if twice else size, published.file) as progress:
        source: Source
        if packed:
            # Its index is at the end, so that its bytes cannot be read in one pass.
            source = ZipSource(path, request.password, progress.add)
            source.unlock()
            check_sum(published, path, progress.add)
        else:
            source = TarSource(path, partial(_passed, digest, progress))
        with source.members() as members:
            n_files = place_all(members, arranged, tree, How.COPY, _nothing)
        if not packed:
            digest.check(path)
    return digest.kind, n_files


def _passed(digest: Sum, progress: MegaBytes, piece: bytes) -> None:
    digest.update(piece)
    progress.add(len(piece))


def _nothing(member: Member) -> None:
    """Archives count their own bytes."""
