"""What the sessions of a run say it took, and on what it ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from oodbench.core.files import GIB, read_json
from oodbench.runs.results import RunResult

Session = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Of one run, all its sessions together; "" and NaN where run.json does not say.

    Attributes:
        seconds: sum of the sessions' wall-clock times.
        rate: items a second of the sessions that computed some.
        memory: most that a session held, GiB; of the device where it is not the CPU.
        engine, device, host: each thing once, joined by commas.
        versions: of Python and the libraries, `name version` joined by commas.
        started, finished: of the first and the last session, ISO 8601.
        n_sessions: how many sessions computed it.
    """

    seconds: float = nan
    rate: float = nan
    memory: float = nan
    engine: str = ""
    device: str = ""
    host: str = ""
    versions: str = ""
    started: str = ""
    finished: str = ""
    n_sessions: int = 0


def cost_of(run: RunResult) -> Cost:
    """What a run took; a run.json that is missing or damaged is no error."""
    content = read_json(run.paths.info)
    stored = content.get("sessions") if isinstance(content, dict) else None
    if not isinstance(stored, list):
        return Cost()
    sessions = [one for one in stored if isinstance(one, dict)]
    if not sessions:
        return Cost()
    working = [one for one in sessions if _number(one, "items") > 0 and _number(one, "seconds") > 0]
    n_items = sum(_number(one, "items") for one in working)
    seconds = sum(_number(one, "seconds") for one in working)
    memory = max((_number(one, "peak_memory") for one in sessions), default=0.0)
    return Cost(
        seconds=sum(_number(one, "seconds") for one in sessions),
        rate=n_items / seconds if working else nan,
        memory=memory / GIB if memory else nan,
        engine=_each(working or sessions, "computed_by") or _each(sessions, "engine"),
        device=_each(sessions, "device"),
        host=_each(sessions, "host"),
        versions="; ".join(dict.fromkeys(filter(None, map(_versions, sessions)))),
        started=str(sessions[0].get("started", "")),
        finished=str(sessions[-1].get("finished", "")),
        n_sessions=len(sessions),
    )


def _number(session: Session, field: str) -> float:
    """A field that is a number, 0 where it is none."""
    value = session.get(field)
    return float(value) if isinstance(value, int | float) else 0.0


def _each(sessions: Sequence[Session], field: str) -> str:
    return ", ".join(dict.fromkeys(str(one[field]) for one in sessions if one.get(field)))


def _versions(session: Session) -> str:
    found = session.get("versions")
    named = found if isinstance(found, dict) else {}
    python = {"Python": session.get("python")}
    return ", ".join(f"{name} {number}" for name, number in {**python, **named}.items() if number)
