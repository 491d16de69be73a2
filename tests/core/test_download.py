"""Against a real HTTP server of the standard library, which can cut a transfer off."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oodbench.core.download import download
from oodbench.core.errors import WeightsError

CONTENT = bytes(range(256)) * 20_000
HALF = len(CONTENT) // 2


class Server(ThreadingHTTPServer):
    """Serves `content`; `cut_after` bytes it closes the connection."""

    daemon_threads = True
    content = CONTENT
    etag = '"v1"'
    cut_after: int | None = None
    requests: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        content, start = self.server.content, 0
        if asked and self.headers.get("If-Range") == self.server.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()
        end = len(content) if self.server.cut_after is None else start + self.server.cut_after
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server(("127.0.0.1", 0), Handler)
    instance.requests = []
    thread = threading.Thread(target=instance.serve_forever, daemon=True)
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return f"http://127.0.0.1:{server.server_port}/net.pth"


def no_check(part: Path) -> None:
    assert part.is_file()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole_file_and_nothing_else(url: str, tmp_path: Path) -> None:
    download(url, tmp_path / "w" / "net.pth", check=no_check)
    assert (tmp_path / "w" / "net.pth").read_bytes() == CONTENT
    assert names(tmp_path / "w") == ["net.pth"]


def test_interrupted_download_goes_on(server: Server, url: str, tmp_path: Path) -> None:
    server.cut_after = HALF
    with pytest.raises(OSError, match=f"ended after {HALF} of {len(CONTENT)} bytes; the same"):
        download(url, tmp_path / "net.pth", check=no_check)
    assert not (tmp_path / "net.pth").exists()
    server.cut_after = None
    download(url, tmp_path / "net.pth", check=no_check)
    assert server.requests == [None, f"bytes={HALF}-"]
    assert hashlib.sha256((tmp_path / "net.pth").read_bytes()).digest() == (
        hashlib.sha256(CONTENT).digest()
    )
    assert names(tmp_path) == ["net.pth"]


@pytest.mark.parametrize("etag", ['"v2"', ""])
def test_other_version_starts_anew(server: Server, url: str, tmp_path: Path, etag: str) -> None:
    server.cut_after = HALF
    with pytest.raises(OSError, match="ended after"):
        download(url, tmp_path / "net.pth", check=no_check)
    server.cut_after, server.etag, server.content = None, etag, CONTENT[::-1]
    download(url, tmp_path / "net.pth", check=no_check)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT[::-1]


def test_server_without_versions_starts_anew(server: Server, url: str, tmp_path: Path) -> None:
    server.etag, server.cut_after = "", HALF
    with pytest.raises(OSError, match="ended after"):
        download(url, tmp_path / "net.pth", check=no_check)
    server.cut_after = None
    download(url, tmp_path / "net.pth", check=no_check)
    assert server.requests == [None, None]
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_part_that_is_longer_than_the_file_starts_anew(
    server: Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / ".net.pth.part").write_bytes(CONTENT + b"more")
    (tmp_path / ".net.pth.part.version").write_text(server.etag)
    download(url, tmp_path / "net.pth", check=no_check)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_file_that_fails_its_check_is_removed(url: str, tmp_path: Path) -> None:
    def refuse(part: Path) -> None:
        raise WeightsError("another file")

    with pytest.raises(WeightsError, match="another file"):
        download(url, tmp_path / "net.pth", check=refuse)
    assert names(tmp_path) == []


def test_no_server(server: Server, url: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="refused"):
        download("http://127.0.0.1:1/net.pth", tmp_path / "net.pth", check=no_check)
    assert names(tmp_path) == []


def test_two_at_once_fetch_once(server: Server, url: str, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=download, args=(url, tmp_path / "net.pth"), kwargs={"check": fine})
        for fine in [no_check] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert names(tmp_path) == ["net.pth"]
