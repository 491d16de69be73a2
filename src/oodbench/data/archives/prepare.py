"""From archives, or a folder of pictures, to the folder that a benchmark reads."""

from collections.abc import Callable
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import locked
from oodbench.data.archives.arrangements.table import arrangement
from oodbench.data.archives.found import Found, find, pictures_of
from oodbench.data.archives.outcome import say_outcome
from oodbench.data.archives.placing import How
from oodbench.data.archives.receipt import FOLDER, count_folders, n_folders, read_receipt
from oodbench.data.archives.request import Request
from oodbench.data.archives.staging import Staging
from oodbench.data.archives.unpacking import unpack


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
        _check_place(request, found)
        if waiting:
            unpack(request, waiting, arrangement(request.data_set, found.archives), staging)
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


def _check_place(request: Request, found: Found) -> None:
    place = request.place
    if read_receipt(place):
        _check_unchanged(place)
        return
    if _is_sorted_in_place(request, found):
        if request.how is not How.MOVE:
            raise DataError(
                f"{place}: the pictures are in the data set's own place: sort them there with "
                "--move, or move the folder away first"
            )
        return
    if place.exists() and any(place.iterdir()):
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
