"""Downloads against a local server that fails in the ways that real ones do."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from archive_server import ArchiveServer, archive_server
from processes import at_once

from oodbench.core.errors import DataError
from oodbench.data.archives import fetch
from oodbench.data.archives.fetch import fetch_archives
from oodbench.data.sets.facts import Archive

CONTENT = bytes(range(256)) * 8000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "WAITS", (0.01, 0.01, 0.01))
    with archive_server() as running:
        running.files["/a.tar"] = CONTENT
        yield running


def archive_of(server: ArchiveServer, name: str = "a.tar", **other: object) -> Archive:
    facts: dict[str, object] = {
        "file": name,
        "url": f"{server.url}/{name}",
        "bytes": len(CONTENT),
        "sha256": sha256(CONTENT).hexdigest(),
    }
    return Archive(**{**facts, **other})  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetched(archives: list[Archive], folder: Path) -> list[str]:
    lines: list[str] = []
    fetch_archives(archives, folder, lines.append)
    return lines


def test_archives_are_fetched_and_compared(server: ArchiveServer, tmp_path: Path) -> None:
    server.files["/b.tar"] = server.files["/c.tar"] = CONTENT
    archives = [
        archive_of(server),
        archive_of(server, "b.tar", sha256=None, md5=md5(CONTENT).hexdigest()),
        archive_of(server, "c.tar", sha256=None, bytes=None),
    ]
    assert sorted(fetched(archives, tmp_path)) == [
        "a.tar: fetched, sha256 as published",
        "b.tar: fetched, md5 as published",
        "c.tar: fetched, not compared: no published sum is known",
    ]
    assert names(tmp_path) == ["a.tar", "b.tar", "c.tar"]
    assert (tmp_path / "b.tar").read_bytes() == CONTENT
    n_requests = len(server.requests)
    assert fetched(archives, tmp_path)[0] == "a.tar: there already"
    assert len(server.requests) == n_requests


def test_dropped_connections_are_taken_up_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.cuts = 7
    fetched([archive_of(server)], tmp_path)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    starts = [asked for _, asked in server.requests]
    assert starts[:3] == [None, f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) * 3 // 4}-"]
    assert len(starts) == 8


def test_server_without_ranges(server: ArchiveServer, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, 2
    fetched([archive_of(server)], tmp_path)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.busy = 3
    fetched([archive_of(server)], tmp_path)
    assert len(server.requests) == 4


def test_server_that_stays_busy_is_given_up(server: ArchiveServer, tmp_path: Path) -> None:
    server.busy = 99
    with pytest.raises(DataError, match=r"a.tar: not fetched: 127.0.0.1:\d+: HTTP Error 503"):
        fetched([archive_of(server)], tmp_path)
    assert len(server.requests) == 1 + len(fetch.WAITS)
    assert names(tmp_path) == []


def test_missing_file_is_not_asked_for_again(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="HTTP Error 404"):
        fetched([archive_of(server, "b.tar")], tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("typed", [True, False])
def test_redirect_to_a_login_page(typed: bool, server: ArchiveServer, tmp_path: Path) -> None:
    server.login, server.typed = {"/a.tar"}, typed
    with pytest.raises(DataError, match="web page, not an archive: .* with a browser"):
        fetched([archive_of(server, bytes=None)], tmp_path)
    assert names(tmp_path) == []


def test_login_page_costs_nothing_of_what_is_there(server: ArchiveServer, tmp_path: Path) -> None:
    """A site that asks for a login in between must not throw gigabytes away."""
    server.cuts, server.busy = 1, 0
    archive = archive_of(server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "WAITS", ())
        with pytest.raises(DataError, match="connection ended after"):
            fetched([archive], tmp_path)
    server.login = {"/a.tar"}
    with pytest.raises(DataError, match="web page"):
        fetched([archive], tmp_path)
    server.login = set()
    fetched([archive], tmp_path)
    assert server.requests[-1] == ("/a.tar", f"bytes={len(CONTENT) // 2}-")


def test_wrong_bytes_are_not_kept(server: ArchiveServer, tmp_path: Path) -> None:
    server.files["/a.tar"] = CONTENT[::-1]
    with pytest.raises(DataError, match="sha256 .*, the published a.tar has .*: damaged, or"):
        fetched([archive_of(server)], tmp_path)
    assert names(tmp_path) == []


def test_wrong_size_is_said_before_anything_is_fetched(
    server: ArchiveServer, tmp_path: Path
) -> None:
    server.files["/a.tar"] = CONTENT[:-1]
    with pytest.raises(DataError, match=r"has 2047999 bytes, the published file has 2048000"):
        fetched([archive_of(server)], tmp_path)


def test_mirror_follows_the_official_address(server: ArchiveServer, tmp_path: Path) -> None:
    server.files = {"/a.tar": CONTENT[::-1], "/mirror/a.tar": CONTENT}
    mirrors = [f"{server.url}/nowhere", f"{server.url}/mirror/a.tar"]
    fetched([archive_of(server, mirrors=mirrors)], tmp_path)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert [urlsplit(path).path for path, _ in server.requests] == [
        *("/a.tar", "/nowhere", "/mirror/a.tar")
    ]


def test_one_failure_does_not_stop_the_others(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="b.tar: not fetched"):
        fetched([archive_of(server, "b.tar"), archive_of(server)], tmp_path)
    assert names(tmp_path) == ["a.tar"]


def test_file_that_is_there_cut(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(CONTENT[:100])
    with pytest.raises(DataError, match="100 bytes, the published a.tar has 2048000: cut off"):
        fetched([archive_of(server)], tmp_path)


FETCH = (
    "import sys; from pathlib import Path; "
    "from oodbench.data.archives.fetch import fetch_archives; "
    "from oodbench.data.sets.facts import Archive\n"
    "url, folder, size = sys.argv[1:]\n"
    "fetch_archives([Archive(file='a.tar', url=url, bytes=int(size))], Path(folder))\n"
)


def test_two_processes_fetch_once(server: ArchiveServer, tmp_path: Path) -> None:
    server.pause = 0.0002
    arguments = [f"{server.url}/a.tar", str(tmp_path / "w"), str(len(CONTENT))]
    at_once(FETCH, arguments, arguments)
    assert len(server.requests) == 1
    assert names(tmp_path / "w") == ["a.tar"]


def test_ctrl_c_ends_a_slow_download_at_once_and_keeps_what_came(
    server: ArchiveServer, tmp_path: Path
) -> None:
    server.files["/a.tar"] = CONTENT * 3
    server.pause = 0.0005
    arguments = [f"{server.url}/a.tar", str(tmp_path), str(3 * len(CONTENT))]
    process = subprocess.Popen([sys.executable, "-c", FETCH, *arguments], stderr=subprocess.PIPE)
    part = tmp_path / ".a.tar.part"
    while not part.is_file() or part.stat().st_size == 0:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    before = time.monotonic()
    process.communicate(timeout=20)
    assert time.monotonic() - before < 5
    kept = part.stat().st_size
    assert 0 < kept < 3 * len(CONTENT)
    server.pause = 0
    archive = archive_of(server, bytes=3 * len(CONTENT), sha256=None)
    fetched([archive], tmp_path)
    assert server.requests[-1] == ("/a.tar", f"bytes={kept}-")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT * 3
