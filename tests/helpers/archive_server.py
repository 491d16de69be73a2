"""A local HTTP server of archives that fails in the ways that real ones do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOGIN = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class ArchiveServer(ThreadingHTTPServer):
    """Serves `files` by path.

    Attributes:
        files: content by path, `/imagenet-a.tar`.
        requests: (path, `Range` header) of each request so far.
        ranges: whether ranges are served.
        cuts: connections still to be closed after half of what they should send.
        busy: requests still to be answered with 503.
        login: paths that lead to a page of a login, by a redirect.
        pause: seconds before each kilobyte.
        typed: whether the page of the login says that it is one.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cuts = 0
        self.busy = 0
        self.login: set[str] = set()
        self.pause = 0.0
        self.typed = True

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: ArchiveServer

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.requests.append((self.path, asked))
        if self.path == "/login":
            kind = "text/html; charset=utf-8" if server.typed else "application/octet-stream"
            self._send(LOGIN, 200, {"Content-Type": kind})
        elif self.path in server.login:
            self._send(b"", 302, {"Location": "/login"})
        elif server.busy > 0:
            server.busy -= 1
            self._send(b"", 503, {})
        elif self.path not in server.files:
            self._send(b"", 404, {})
        else:
            self._send_file(server.files[self.path], asked)

    def _send_file(self, content: bytes, asked: str | None) -> None:
        etag = f'"{len(content)}-{hash(content)}"'
        start = 0
        if asked and self.server.ranges and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        self._send(content[start:], 206 if start else 200, {"ETag": etag})

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.server.cuts > 0 and status < 300:
            self.server.cuts -= 1
            content = content[: len(content) // 2]
        if not self.server.pause:
            self.wfile.write(content)
            return
        for at in range(0, len(content), 1000):
            time.sleep(self.server.pause)
            self.wfile.write(content[at : at + 1000])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def archive_server() -> Iterator[ArchiveServer]:
    """One that runs as long as the block."""
    server = ArchiveServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
