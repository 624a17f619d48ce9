"""A server that says what a test wants: for what a real one shows only in bad times, or rarely.

`python -m tests.browser.fake_server [PORT]` serves the page with made-up jobs.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

import dc.server
from dc.roles import ROLES
from dc.server.security_headers import SECURITY_HEADERS
from dc.view_access import MeView
from dc.view_jobs import JobsPage, TasksPage
from dc.view_server import EventsPage, Problem
from dc.view_workers import WorkersPage
from tests.browser import samples

WEB: Final = Path(dc.server.__file__).parent.parent / "web"
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEARTBEAT_SECONDS: Final = 0.5

Query = dict[str, str]


def samples_now(value: object) -> object:
    """Return a made-up view with its times moved to now."""
    shift = time.time() - samples.NOW
    plain = msgspec.to_builtins(value)

    def moved(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: moved(part) for name, part in one.items()}
        if isinstance(one, list):
            return [moved(part) for part in one]
        if isinstance(one, float) and abs(one - samples.NOW) < 1e7:
            return one + shift
        return one

    return moved(plain)


def query_then(query: Query) -> Query:
    """Return what was asked with its times moved from now to when the views were made up."""
    shift = time.time() - samples.NOW
    times = {name: float(query[name]) - shift for name in ("since", "until") if name in query}
    return query | {name: str(at) for name, at in times.items()}


@dataclass
class Said:
    """An answer that is no view: a status, and what goes with it."""

    status: int
    body: object
    kind: str = "application/problem+json"


def problem(status: int, code: str, detail: str) -> Said:
    """Return a problem as the API answers it."""
    title = code.replace("_", " ")
    return Said(status, Problem(type=code, title=title, status=status, detail=detail, code=code))


def _history(query: Query) -> object:
    until = float(query.get("until", samples.NOW))
    since = float(query.get("since", until - 10_800))
    return msgspec.to_builtins(samples.history(since, until, int(query.get("points", "300"))))


@dataclass
class World:
    """What the server says: `answers` by path, a view or what makes it of the query.

    Attributes:
        asked: method, path and body of what was asked to be changed.
        pushed: by topic of the stream, its last state and how often that has changed.
        flood: what streams that are open say besides, each of it, as quickly as they can.
        streams: whether there is a stream at all.
        delay: seconds that each answer of the API takes.
    """

    answers: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    pushed: dict[str, tuple[int, object]] = field(default_factory=dict)
    flood: list[bytes] = field(default_factory=list)
    streams: bool = True
    delay: float = 0.0

    def push(self, topic: str, value: object) -> None:
        """Have the stream say something."""
        self.pushed[topic] = (self.pushed.get(topic, (0, None))[0] + 1, value)


def event(topic: str, value: object) -> bytes:
    """Return what a stream says of a topic, as bytes."""
    return b"event: %s\ndata: %s\n\n" % (topic.encode(), msgspec.json.encode(samples_now(value)))


def usual() -> dict[str, object]:
    """Return what a server in the midst of work would answer."""
    jobs, job = samples.jobs(), samples.job()
    answers: dict[str, object] = {
        "/api/me": MeView(needed=False, signed_in=True, name="", roles=list(ROLES)),
        "/api/overview": samples.overview(),
        "/api/status": samples.status(),
        "/api/history": _history,
        "/api/jobs": JobsPage(jobs, "4"),
        "/api/workers": WorkersPage(samples.workers()),
        "/api/events": EventsPage([]),
        "/api/jobs/7/figures": samples.figures(),
        "/api/jobs/7/tasks": TasksPage(samples.tasks(), "5"),
        "/jobs/7/tasks/1048/payload": Said(
            200, b'{"scene": "attic", "frame": 1048}', "application/json"
        ),
        "/api/submitters": {"submitters": [{"name": "ada", "weight": 1.0, "jobs": 2, "bytes": 0}]},
        "/api/types": {"types": [{"name": "render_frame", "version": "2.1"}], "broken": {}},
    }
    answers |= {f"/api/jobs/{one.job}": one for one in jobs}
    payload = Said(200, b'{"scene": "attic", "frame": 3}', "application/octet-stream")
    answers |= {f"/jobs/7/tasks/{one}/payload": payload for one in range(5)}
    answers |= {f"/api/jobs/7/tasks/{one.number}": one for one in samples.tasks()}
    answers["/api/jobs/7/tasks/1048"] = samples.task()
    answers |= {f"/api/jobs/7/tasks/{one}/output": samples.output() for one in (*range(5), 1048)}
    for action in ("pause", "resume", "cancel", "retry"):
        answers[f"POST /api/jobs/7/{action}"] = job
    return answers


class _Threads(ThreadingHTTPServer):
    """A server that can hang up on all who are connected."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: list[socket.socket] = []
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up is not told of."""

    def hang_up(self) -> None:
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class FakeServer:
    """The server, in threads of its own; left, it is gone.

    Args:
        world: what it says.
        port: where; any that is free without it.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self._port = port
        self._server: _Threads | None = None
        self.start()

    def start(self) -> None:
        """Answer, at the same address as before."""
        handler = type(
            "Here", (_Handler,), {"world": self.world, "alive": staticmethod(lambda: self._server)}
        )
        self._server = _Threads(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Answer nothing any more; streams end."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.hang_up()

    @property
    def answers(self) -> bool:
        """Whether it is there."""
        return self._server is not None

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World
    alive: Callable[[], object]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/stream":
            self._stream(query.get("topics", "").split(","))
        elif url.path in self.world.answers or url.path.startswith("/api/"):
            self._view(url.path, query)
        else:
            self._file(url.path)

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        body: Any = self.rfile.read(size) if size else None
        if body and self.headers.get("content-type") == "application/json":
            body = msgspec.json.decode(body)
        self.world.asked.append((self.command, self.path, body))
        self._view(f"{self.command} {self.path}", {}, {"tasks": 1})

    do_PATCH = do_POST  # noqa: N815
    do_DELETE = do_POST  # noqa: N815
    do_PUT = do_POST  # noqa: N815

    def _view(self, path: str, query: Query, otherwise: object = None) -> None:
        time.sleep(self.world.delay)
        answer = self.world.answers.get(path, otherwise)
        if callable(answer):
            answer = answer(query_then(query))
        if answer is None:
            answer = problem(404, "unknown", f"there is nothing at {path}")
        if not isinstance(answer, Said):
            answer = Said(200, answer, "application/json")
        body = answer.body
        data = body if isinstance(body, bytes) else msgspec.json.encode(samples_now(body))
        self._send(answer.status, data, answer.kind)

    def _file(self, path: str) -> None:
        file = WEB / path.strip("/")
        if not file.is_file():
            file = WEB / "index.html"
        self._send(200, file.read_bytes(), KINDS.get(file.suffix, "text/plain"))

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, value in SECURITY_HEADERS:
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # who asked has gone to another page

    def _stream(self, topics: list[str]) -> None:
        if not self.world.streams:
            self._send(404, b"{}", "application/json")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        mine = self.alive()
        seen: dict[str, int] = {}
        poured = max(0, len(self.world.flood) - 1)
        said = 0.0
        try:
            while self.alive() is mine:
                for topic in topics:
                    count, value = self.world.pushed.get(topic, (0, None))
                    if count > seen.get(topic, 0):
                        seen[topic] = count
                        self.wfile.write(event(topic, value))
                if flood := self.world.flood[poured:]:
                    poured += len(flood)
                    self.wfile.write(b"".join(flood))
                if time.monotonic() - said > HEARTBEAT_SECONDS:
                    said = time.monotonic()
                    self.wfile.write(b": here\n\n")
                time.sleep(0.02)
        except OSError:
            pass
        self.close_connection = True


def main(port: int) -> None:
    """Serve until Ctrl-C."""
    with FakeServer(World(usual()), port) as server:
        print(server.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    import sys

    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8600)
