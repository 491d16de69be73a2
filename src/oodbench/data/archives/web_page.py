"""Web pages in the place of archives: of a login, of a confirmation, of an error."""

from pathlib import Path

from oodbench.core.errors import DataError

_BEGINNINGS = (b"<!doctype", b"<html", b"<?xml", b"<head")


def is_web_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a page for a browser."""
    return beginning.lstrip().lower().startswith(_BEGINNINGS)


def refuse_web_page(path: Path) -> None:
    """Look at the first bytes of what should be an archive.

    Raises:
        DataError: it is a web page.
    """
    with path.open("rb") as file:
        if is_web_page(file.read(256)):
            raise DataError(
                f"{path}: a web page, not an archive: the site asked for a login or a "
                "confirmation; download it again with the browser"
            )
