"""Leases: of several processes one works on a thing at a time, and another goes on if it dies.

A lease is a small file that names its owner. Whoever creates it (`O_EXCL`, which NFS honours, too)
has the lease; its time of change is the owner's heartbeat. It is free again when its owner removes
it, when its owner is known to be dead, which can be told on the same machine alone, or when there
has been no heartbeat for `LIMIT`: then another one's file takes its place in one step (a rename). A
process that was only stopped for as long loses its lease and finds that out with `Leases.holds`.

Clocks may be set in the middle of it all, and those of two machines may differ by hours, which
shows where the file system takes a file's times from whoever writes it. So an age alone says
nothing: whoever wants a lease watches, on a clock that nobody sets, whether a heartbeat comes.
"""

import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from oodbench.core.files import naming

BEAT = 20.0
"""Seconds between two heartbeats."""

LIMIT = 120.0
"""Seconds without a heartbeat after which a lease is free."""

WATCH = 1.5 * BEAT
"""Seconds of these for which it has to be watched, where the others were before anyone looked."""

SUFFIX = ".lease"

_STATE, _STARTED = 0, 19
"""Places in `_status`: a letter, and when the process started, in ticks since the boot."""

_POLL = (0.1, 5.0)
"""Seconds between two looks at what is waited for, at first and at last."""


@dataclass(frozen=True)
class Owner:
    """The process that holds a lease.

    Attributes:
        host: its name.
        pid: the process's number there.
        machine: where this number means something: a boot of a machine and a container on it.
        started: when the process did, in the kernel's ticks: numbers are used again.
    """

    host: str = "an unknown host"
    pid: int = 0
    machine: str = ""
    started: str = ""

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host}"

    @property
    def is_here(self) -> bool:
        """Whether its number means something here, so that it can be told whether it runs."""
        return bool(self.machine) and self.machine == _machine()

    @property
    def is_dead(self) -> bool:
        """Whether it is known to have ended; False where that cannot be told."""
        if not self.is_here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            return False
        status = _status(self.pid)
        return bool(status) and (status[_STATE] in "ZX" or status[_STARTED] != self.started)


@dataclass(frozen=True)
class _Seen:
    """A lease's file at one moment: what it says, and when it was last changed."""

    text: str
    changed: float


_watched: dict[Path, tuple[_Seen, float]] = {}
"""What this process saw of a lease, and since when it has seen nothing else (monotonic)."""


class Leases:
    """The leases that this process holds; a context manager that gives all of them back.

    A thread renews them while there are any.
    """

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, path: Path) -> Owner | None:
        """Take a lease that is free.

        Args:
            path: of the lease's file.

        Returns:
            The owner of one that is not free, or not known to be yet, else None.

        Raises:
            OSError: the folder cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        while not self._create(path):
            if (owner := holder(path)) is not None:
                return owner
            if (owner := self._succeed(path)) is not None:
                return owner
            if self.holds(path):
                break
        return None

    def take_watched(self, path: Path) -> Owner | None:
        """The same, but one whose age says that nobody holds it is watched until that is known."""
        end = time.monotonic() + LIMIT + _POLL[1]
        while (owner := self.take(path)) is not None and time.monotonic() < end:
            with suppress(FileNotFoundError):
                if abs(_age(path)) <= LIMIT:
                    break
                time.sleep(_POLL[0])
        return owner

    def holds(self, path: Path) -> bool:
        """Whether the lease is still this process's: nobody has taken it over meanwhile."""
        with self._lock:
            return path in self._held and _is_of(path, self._held[path])

    def give_back(self, path: Path) -> None:
        """Let others have the lease."""
        with self._lock:
            descriptor = self._held.pop(path, None)
            if descriptor is None:
                return
            with suppress(OSError):
                if _is_of(path, descriptor):
                    path.unlink(missing_ok=True)
            os.close(descriptor)

    def close(self) -> None:
        """Give all leases back."""
        self._ended.set()
        for path in list(self._held):
            self.give_back(path)

    def __enter__(self) -> "Leases":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _create(self, path: Path) -> bool:
        """Whether there was no lease of that name and this process has made it."""
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        self._keep(path, descriptor)
        content = json.dumps({**asdict(this_process()), "token": uuid4().hex})
        with naming(path):
            os.write(descriptor, content.encode())
        self._start()
        return True

    def _succeed(self, path: Path) -> Owner | None:
        """Put a new lease in the place of one that was found free, if it still is.

        A lease of the succession lets one process do so at a time, and the place is never empty
        meanwhile, so that nobody who comes then creates it.

        Returns:
            The owner of the succession where that is not free, else None.
        """
        succession = path.with_name(path.name + SUFFIX)
        if (owner := self.take(succession)) is not None:
            return owner
        if path.exists() and holder(path) is None:
            succession.rename(path)
            with self._lock:
                descriptor = self._held.pop(succession)
            self._keep(path, descriptor)
        else:
            self.give_back(succession)
        return None

    def _keep(self, path: Path, descriptor: int) -> None:
        with self._lock:
            lost = self._held.get(path)
            self._held[path] = descriptor
        if lost is not None:
            os.close(lost)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                for descriptor in self._held.values():
                    with suppress(OSError):
                        os.utime(descriptor)


def holder(path: Path) -> Owner | None:
    """Who holds a lease as far as is known, None where it is free."""
    seen = _look(path)
    if seen is None:
        _watched.pop(path, None)
        return None
    owner = _owner(seen.text)
    return None if owner.is_dead or _is_stale(path, seen) else owner


def this_process() -> Owner:
    """The process that asks, as an owner."""
    status = _status(os.getpid())
    started = status[_STARTED] if status else ""
    return Owner(platform.node(), os.getpid(), _machine() if started else "", started)


def discard(path: Path) -> None:
    """Remove a lease that nobody holds; one that somebody takes at the same moment stays."""
    if path.exists() and holder(path) is None:
        with Leases() as leases:
            leases.take(path)


def wait_until_free(paths: Collection[Path], say: Callable[[Owner], None]) -> None:
    """Return when one of the leases is free.

    Args:
        paths: of their files.
        say: called once with each owner that is waited for.
    """
    said: set[Owner] = set()
    pause, longest = _POLL
    while True:
        for path in paths:
            owner = holder(path)
            if owner is None:
                return
            if owner not in said:
                said.add(owner)
                say(owner)
        time.sleep(pause)
        pause = min(2 * pause, longest)


def is_older_than_limit(path: Path) -> bool:
    """Whether a file has not changed for `LIMIT` seconds, by the clock of its file system.

    Raises:
        OSError: it is gone.
    """
    return _age(path) > LIMIT


def now_in(folder: Path) -> float:
    """The time by the clock of a folder's file system, by which heartbeats are dated too.

    Raises:
        OSError: the folder cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime


def remove_if_abandoned(part: Path) -> None:
    """Remove a half-written file that nobody has written to for as long as a lease may stand."""
    with suppress(FileNotFoundError):  # another process has put it in its place
        if is_older_than_limit(part):
            part.unlink()


def _is_of(path: Path, descriptor: int) -> bool:
    """Whether the file of that name is the one that was opened."""
    try:
        there, opened = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (opened.st_ino, opened.st_dev)


def _look(path: Path) -> _Seen | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            status = os.fstat(file.fileno())
            return _Seen(file.read(), status.st_mtime)
    except FileNotFoundError:
        return None


def _owner(text: str) -> Owner:
    """What a lease says; an unknown owner where it says nothing yet, or nothing readable."""
    try:
        stored = json.loads(text)
        del stored["token"]
        owner = Owner(**stored)
    except (ValueError, TypeError, KeyError):
        return Owner()
    return owner if isinstance(owner.pid, int) and owner.pid > 0 else Owner()


def _is_stale(path: Path, seen: _Seen) -> bool:
    known, since = _watched.get(path, (None, 0.0))
    if known != seen:
        since = time.monotonic()
        _watched[path] = (seen, since)
    watched = time.monotonic() - since
    return watched > LIMIT or (watched > WATCH and now_in(path.parent) - seen.changed > LIMIT)


def _age(path: Path) -> float:
    """Seconds since a file has changed; less than none where its clock was set back since.

    Raises:
        OSError: it is gone.
    """
    return now_in(path.parent) - path.stat().st_mtime


@cache
def _machine() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _status(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing where that is not known."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_bytes()
        return status.rpartition(b")")[2].decode("ascii").split()
    return []
