"""run.json: when, how long and on what each session of a run computed."""

import logging
from itertools import count
from pathlib import Path
from typing import Any

from oodbench.core.files import locked, read_json, write_json

log = logging.getLogger(__name__)


def append_session(path: Path, session: dict[str, Any]) -> None:
    """Add a session to `{"sessions": [...]}`; shards that end at once lose none of them.

    It is an account of the run, no part of its result: a damaged file is put aside and one that
    cannot be written is named in a warning, and the run goes on.

    Args:
        path: of run.json.
        session: JSON content.
    """
    try:
        with locked(path):
            write_json(path, {"sessions": [*_stored(path), session]})
    except OSError as error:
        log.warning("%s: this session could not be recorded: %s", path, error)


def _stored(path: Path) -> list[Any]:
    if not path.exists():
        return []
    content = read_json(path) if path.is_file() else None
    sessions = content.get("sessions") if isinstance(content, dict) else None
    if isinstance(sessions, list):
        return sessions
    aside = _free_name(path)
    path.rename(aside)
    log.warning("%s: damaged: begun anew, what was there is now %s", path, aside.name)
    return []


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return next(name for name in names if not name.exists())
