"""Web pages in the place of archives: of a login, of a confirmation, of an error."""

from pathlib import Path

from oodbench.core.errors import DataError

_BEGINNINGS = (b"<!doctype", b"<html", b"<?xml", b"<head")


def is_web_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a page for a browser."""
    return beginning.lstrip().lower().startswith(_BEGINNINGS)


def refuse_web_page(path: Path, source: str | None = None) -> None:
    """Look at the first bytes of what should be an archive.

    Args:
        path: of the file.
        source: the address that it came from; None: it was there.

    Raises:
        DataError: it is a web page.
    """
    with path.open("rb") as file:
        if is_web_page(file.read(256)):
            raise page_error(str(path), source)


def page_error(what: str, source: str | None) -> DataError:
    """What to do about a page in place of an archive.

    Args:
        what: the file.
        source: the address that it came from; None: it was there.
    """
    where = source or "its address"
    return DataError(
        f"{what}: a web page, not an archive: the site asks for a login or a confirmation (Google "
        f"Drive does so for large files); open {where} with a browser and download it there"
    )
