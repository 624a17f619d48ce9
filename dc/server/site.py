"""One port for everything: each request finds its page, its API call, its bytes, or the socket."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import trio

from dc import http, limits, link_open
from dc.errors import DcError, ProtocolError, UnknownBlob
from dc.http import Request, Response, Upgrade
from dc.link import Link
from dc.server.api import api_routes
from dc.server.app import ServerApp
from dc.server.backup import backup
from dc.server.blob_answers import ASK_AGAIN, BlobAnswers, digest_named
from dc.server.pages import Pages
from dc.server.problems import ANSWERED, problem, status_of
from dc.server.routes import Router, number
from dc.server.uploads import Uploads
from dc.server.views import Views

SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]


TEXT: Final = "text/plain; charset=utf-8"

FILES = ("payload", "result", "output")


class Site:
    """Serves connections.

    Args:
        app: the server behind it.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self._views = Views(app)
        self._router = Router(api_routes(app, self._views))
        self._pages = Pages(self._views)
        settings = app.settings
        uploads = Uploads(settings.data, settings.reserve, lambda: app.reactor.board.usage)
        self._blobs = BlobAnswers(app.blobs, uploads)
        self._open = 0
        self._hosts = {urlsplit(app.settings.address).hostname or ""}

    async def serve_stream(self, stream: trio.abc.Stream, address: str = "") -> None:
        """Serve one connection to its end, whatever comes over it."""
        if self._open + self._app.sockets >= limits.CONNECTIONS or self._app.stopping:
            await _turn_away(stream)
            return
        self._open += 1
        try:
            upgraded = await http.serve_requests(stream, self.answer)
        finally:
            self._open -= 1
        if upgraded is not None:
            socket = Link(stream, client=False, initial=upgraded[1])
            del upgraded  # the frame of this call stays for as long as the socket is open
            await self._app.serve_socket(socket, address)

    async def answer(self, request: Request) -> Response | Upgrade:
        """Answer one request."""
        try:
            self._check_host(request.headers.get("host", ""))
            if request.method not in ("GET", "HEAD"):
                link_open.check_origin(request.headers)
            answer = await self._route(request)
        except ANSWERED as error:
            answer = self._error(request, error)
        if isinstance(answer, Response):
            answer.headers.extend(SECURITY_HEADERS)
            if not any(name == "Cache-Control" for name, _ in answer.headers):
                answer.headers.append(("Cache-Control", "no-store"))
        return answer

    def _check_host(self, host: str) -> None:
        """See to it that a request was meant for this server.

        A page of another site can have its own name point to this computer, and would then be
        let in as if it were ours: but its requests name that site.

        Raises:
            ProtocolError: with status 421, for a host that is neither loopback nor what was given
                by --listen.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            raise ProtocolError(f"{host[:80]!r} is no host", status=400) from None
        if host and name != "localhost" and name not in self._hosts and not is_loopback(name):
            raise ProtocolError(f"this server is not {name[:80]!r}", status=421)

    def _error(self, request: Request, error: DcError) -> Response:
        parts = request.segments
        if parts[0] in ("api", "blobs", "plugins") or parts[-1] in FILES:
            return problem(error)
        return self._pages.error(status_of(type(error)), str(error))

    async def _route(self, request: Request) -> Response | Upgrade:
        parts = request.path.strip("/").split("/")
        match parts:
            case ["socket"]:
                return self._socket(request)
            case ["api", "backup"]:
                return await self._backup(request)
            case ["api", *_]:
                return await self._router.answer(request)
            case ["blobs", name]:
                return await self._blobs.blob(request, name)
            case ["plugins", name]:
                return await self._plugin(request, name)
            case ["jobs", job, "tasks", task, "output"]:
                return await self._output(request, number(job), number(task))
            case ["jobs", job, "tasks", task, "payload" | "result" as which]:
                return await self._bytes(request, which, number(job), number(task))
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        return await self._pages.answer(request, parts)

    def _socket(self, request: Request) -> Response | Upgrade:
        if request.method != "GET":
            return Response.not_allowed("GET")
        try:
            return Upgrade(link_open.check_upgrade(request.method, request.headers), None)
        except ProtocolError as error:
            if error.status != 426:
                raise
            wanted = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
            return Response(426, f"{error}\n".encode(), headers=wanted)

    async def _backup(self, request: Request) -> Response:
        if request.method != "GET":
            return Response.not_allowed("GET")
        return await backup(self._app)

    # --- bytes ----------------------------------------------------------------------------------

    async def _bytes(self, request: Request, which: str, job: int, task: int) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        find = self._views.tasks.payload if which == "payload" else self._views.tasks.result
        return await self._blobs.payload(request, await find(job, task))

    async def _output(self, request: Request, job: int, task: int) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        if (whole := await self._views.outputs.whole(job, task)) is not None:
            return await self._blobs.file(request, whole.digest, ASK_AGAIN, TEXT)
        return Response(200, await self._views.outputs.text(job, task), TEXT)

    async def _plugin(self, request: Request, name: str) -> Response:
        """Return the archive of a plugin that the server has, or that a job still runs."""
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        digest = digest_named(name)
        if self._app.types.shipped(digest) is None:
            raise UnknownBlob(f"there is no plugin {name[:80]!r}")
        return await self._blobs.file(request, digest)


def is_loopback(host: str) -> bool:
    """Whether this is the address of the computer itself, in numbers."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _turn_away(stream: trio.abc.Stream) -> None:
    text = b"too many connections, or the server is stopping: try again later\n"
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    with trio.move_on_after(1.0):
        try:
            await stream.send_all(head + b"Content-Length: %d\r\n\r\n" % len(text) + text)
            await stream.aclose()
        except trio.BrokenResourceError:
            pass
    await trio.aclose_forcefully(stream)
