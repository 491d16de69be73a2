"""One process holds a lease; another one gets it when the first is gone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from processes import at_once

from oodbench.core import lease
from oodbench.core.lease import (
    LIMIT,
    Leases,
    Owner,
    discard,
    holder,
    is_older_than_limit,
    this_process,
    wait_until_free,
)


@pytest.fixture
def leases() -> Iterator[Leases]:
    with Leases() as held:
        yield held


@pytest.fixture(autouse=True)
def not_watched() -> Iterator[None]:
    """What looks old is free at once: how it is watched is tested below, on a clock of its own."""
    with pytest.MonkeyPatch.context() as patch:  # some tests undo their own
        patch.setattr(lease, "WATCH", -1.0)
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records" / ".chunk.lease"


def held_by(path: Path, owner: Owner, age: float = 0.0) -> None:
    """A lease's file as its owner left it, so many seconds ago."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**asdict(owner), "token": "t"}))
    os.utime(path, (time.time() - age,) * 2)


def ended_process() -> int:
    """The number of a process that was."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


ELSEWHERE = Owner("node7", 4321, "another boot", "99")


def test_one_has_it_until_it_gives_it_back(leases: Leases, path: Path) -> None:
    assert leases.take(path) is None
    assert leases.holds(path)
    assert holder(path) == this_process()
    with Leases() as others:
        assert others.take(path) == this_process()
        assert not others.holds(path)
        others.give_back(path)  # what is not its own stays
        assert leases.holds(path)
        leases.give_back(path)
        assert others.take(path) is None
    assert list(path.parent.iterdir()) == []


def test_all_are_given_back_at_the_end_however_it_comes(path: Path) -> None:
    def interrupted() -> None:
        with Leases() as leases:
            leases.take(path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(path.parent.iterdir()) == []


def test_an_owner_says_where_it_is() -> None:
    assert str(ELSEWHERE) == "process 4321 on node7"
    assert str(Owner()) == "process ? on an unknown host"


def test_that_of_a_dead_process_of_this_machine_is_free(leases: Leases, path: Path) -> None:
    held_by(path, replace(this_process(), pid=ended_process()))
    assert holder(path) is None
    assert leases.take(path) is None


def test_so_is_that_of_an_earlier_process_with_the_number(leases: Leases, path: Path) -> None:
    held_by(path, replace(this_process(), started="1"))
    assert leases.take(path) is None


def test_and_that_of_a_process_that_nobody_has_waited_for(leases: Leases, path: Path) -> None:
    """Killed, but its parent has not looked: the kernel keeps its number."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = lease._status(process.pid)[lease._STARTED]
        held_by(path, replace(this_process(), pid=process.pid, started=started))
        assert holder(path) is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert holder(path) is None


@pytest.mark.parametrize("owner", [ELSEWHERE, this_process()])
def test_one_without_heartbeat_is_free(leases: Leases, path: Path, owner: Owner) -> None:
    held_by(path, owner, age=LIMIT - 10)
    assert leases.take(path) == owner
    held_by(path, owner, age=LIMIT + 10)
    assert leases.take(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 3}', '{"token": "t", "pid": "x"}'])
def test_one_that_says_nothing_is_held_until_it_is_old(
    leases: Leases, path: Path, text: str
) -> None:
    """Its owner may be just about to write."""
    held_by(path, ELSEWHERE)
    path.write_text(text)
    assert leases.take(path) == Owner()
    os.utime(path, (time.time() - LIMIT - 10,) * 2)
    assert leases.take(path) is None


def test_a_stopped_process_finds_out_that_it_has_lost_it(leases: Leases, path: Path) -> None:
    leases.take(path)
    os.utime(path, (0, 0))
    with Leases() as others:
        assert others.take(path) is None
        assert not leases.holds(path)
        leases.give_back(path)
        assert others.holds(path)


def test_a_thread_keeps_it_alive(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with Leases() as leases:
        leases.take(path)
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > time.time() - 60


def test_the_thread_does_not_keep_another_s_alive(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with Leases() as leases:
        leases.take(path)
        path.unlink()
        held_by(path, ELSEWHERE, age=50)
        before = path.stat().st_mtime
        time.sleep(0.2)
        assert path.stat().st_mtime == before


def test_a_lease_that_is_held_is_not_discarded(leases: Leases, path: Path) -> None:
    leases.take(path)
    discard(path)
    assert leases.holds(path)


def test_one_that_is_taken_at_the_same_moment_is_not_discarded(
    leases: Leases, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process removes the dead one and takes it between a look and the removal."""
    held_by(path, replace(this_process(), pid=ended_process()))
    between(path, monkeypatch, lambda: leases.take(path))
    discard(path)
    assert leases.holds(path)
    assert list(path.parent.iterdir()) == [path]


def between(path: Path, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen just after the lease was found free for the first time."""
    look = lease.holder

    def slow(lease_path: Path) -> Owner | None:
        found = look(lease_path)
        if lease_path == path:
            monkeypatch.undo()
            happens()
        return found

    monkeypatch.setattr(lease, "holder", slow)


def test_of_two_that_find_it_free_one_gets_it(
    leases: Leases, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late the other one acts on what it saw, with a third that comes after it."""
    held_by(path, ELSEWHERE, age=LIMIT + 10)
    between(path, monkeypatch, lambda: leases.take(path))
    with Leases() as late:
        assert late.take(path) == this_process()
        assert leases.holds(path)
        assert not late.holds(path)
    assert leases.holds(path)
    assert list(path.parent.iterdir()) == [path]


def test_one_that_is_given_back_at_the_same_moment_is_got(
    leases: Leases, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(path, ELSEWHERE, age=LIMIT + 10)
    between(path, monkeypatch, path.unlink)
    assert leases.take(path) is None
    assert leases.holds(path)
    assert list(path.parent.iterdir()) == [path]


def test_the_place_of_a_free_one_is_never_empty(
    leases: Leases, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes while it changes hands finds one owner or the other."""
    held_by(path, ELSEWHERE, age=LIMIT + 10)
    found: list[bool] = []

    def traced(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        found.append(path.exists())
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        leases.take(path)
    finally:
        sys.settrace(before)
    assert leases.holds(path)
    assert found
    assert all(found)


def test_a_succession_that_was_killed_stops_nobody(leases: Leases, path: Path) -> None:
    held_by(path, ELSEWHERE, age=LIMIT + 10)
    succession = path.with_name(path.name + lease.SUFFIX)
    held_by(succession, ELSEWHERE)
    assert leases.take(path) == ELSEWHERE
    held_by(succession, replace(this_process(), pid=ended_process()))
    assert leases.take(path) is None
    assert list(path.parent.iterdir()) == [path]


def test_of_threads_that_come_at_once_one_gets_it(path: Path) -> None:
    for _ in range(20):
        held_by(path, ELSEWHERE, age=LIMIT + 10)
        everyone = [Leases() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda leases: leases.take(path) is None, everyone))
        assert won.count(True) == 1
        for leases in everyone:
            leases.close()


TAKE = """
import sys, time; from pathlib import Path; from oodbench.core import lease; Leases = lease.Leases
lease.WATCH = -1.0
with Leases() as leases:
    if leases.take(Path(sys.argv[1])) is None:
        open(sys.argv[2], "a").write("x")
        time.sleep(1)
"""


def test_of_processes_that_come_at_once_one_gets_it(tmp_path: Path, path: Path) -> None:
    held_by(path, ELSEWHERE, age=LIMIT + 10)
    at_once(TAKE, *[(str(path), str(tmp_path / "won"))] * 4)
    assert (tmp_path / "won").read_text() == "x"


def test_whoever_waits_says_once_for_whom(path: Path) -> None:
    held_by(path, ELSEWHERE, age=LIMIT - 1)
    said: list[Owner] = []
    wait_until_free([path], said.append)
    assert said == [ELSEWHERE]
    path.unlink()
    wait_until_free([path], said.append)
    assert said == [ELSEWHERE]


def test_age_goes_by_the_clock_of_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert not is_older_than_limit(tmp_path / "a")
    os.utime(tmp_path / "a", (0, 0))
    assert is_older_than_limit(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        is_older_than_limit(tmp_path / "b")


# Clocks that are set meanwhile, or differ


class Clocks:
    """A holder on another machine and a process that wants its lease; each has a clock of its own.

    Both clocks date files, as where file systems take a file's times from whoever writes it. Where
    a server dates all files, `holder` and `taker` are the same.

    Attributes:
        alive: whether the holder renews its lease.
        holder, taker: what their clocks are ahead of the true time, seconds.
    """

    def __init__(self, path: Path) -> None:
        self.seconds = 0.0
        self.alive = True
        self.holder = self.taker = 0.0
        self._path = path
        held_by(path, ELSEWHERE)
        self._beat()

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        beats = self.seconds // lease.BEAT
        self.seconds += seconds
        if self.alive and self.seconds // lease.BEAT > beats:
            self._beat()

    def now(self, folder: Path) -> float:
        return 1e9 + self.seconds + self.taker

    def _beat(self) -> None:
        os.utime(self._path, (1e9 + self.seconds + self.holder,) * 2)


@pytest.fixture
def clocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    found = Clocks(path)
    monkeypatch.setattr(lease, "WATCH", 1.5 * lease.BEAT)
    namespace = SimpleNamespace(monotonic=found.monotonic, sleep=found.sleep)
    monkeypatch.setattr(lease, "time", namespace)
    monkeypatch.setattr(lease, "now_in", found.now)
    return found


HOUR = 3600.0
JUMPS = pytest.mark.parametrize("holder", [-HOUR, 0.0, HOUR])
OF_TAKER = pytest.mark.parametrize("taker", [-HOUR, 0.0, HOUR])


@JUMPS
@OF_TAKER
@pytest.mark.parametrize("start", [0.0, 500.0])
def test_a_living_holder_keeps_it_whatever_clocks_say(
    leases: Leases, path: Path, clocks: Clocks, holder: float, taker: float, start: float
) -> None:
    clocks.sleep(start)
    while clocks.seconds < 1000:
        if clocks.seconds > 300:  # before anyone looks, or in the middle
            clocks.holder, clocks.taker = holder, taker
        assert leases.take(path) == ELSEWHERE
        clocks.sleep(5)
    while clocks.seconds < 2000:  # and set right again
        clocks.holder = clocks.taker = 0
        assert leases.take(path) == ELSEWHERE
        clocks.sleep(5)


@JUMPS
@OF_TAKER
@pytest.mark.parametrize("after", [0.0, 50.0, 200.0])
def test_that_of_a_dead_one_is_free_soon_whatever_clocks_say(
    leases: Leases, path: Path, clocks: Clocks, holder: float, taker: float, after: float
) -> None:
    clocks.holder = holder
    clocks.sleep(lease.BEAT)
    clocks.alive, died = False, clocks.seconds
    waited: list[Owner] = []
    clocks.sleep(after)
    clocks.taker = taker
    wait_until_free([path], waited.append)
    assert waited == [ELSEWHERE]
    longest = max(LIMIT, after + lease.WATCH) if holder <= taker else after + LIMIT
    assert clocks.seconds - died <= longest + 10
    assert leases.take(path) is None


def test_a_clock_that_is_set_again_and_again_keeps_nobody_waiting_for_ever(
    path: Path, clocks: Clocks
) -> None:
    clocks.alive = False
    for jump in (HOUR, -HOUR, 0, 10 * HOUR):
        clocks.taker = jump
        for _ in range(7):
            holder(path)
            clocks.sleep(5)
    assert holder(path) is None


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_whoever_cannot_do_without_it_watches_one_whose_age_is_odd(
    leases: Leases, path: Path, clocks: Clocks, seconds: float
) -> None:
    clocks.holder = seconds
    clocks.sleep(lease.BEAT)
    assert leases.take_watched(path) == ELSEWHERE
    clocks.alive = False
    assert leases.take_watched(path) is None


def test_but_not_one_whose_age_is_usual(leases: Leases, path: Path, clocks: Clocks) -> None:
    assert leases.take_watched(path) == ELSEWHERE
    assert clocks.seconds == 0
