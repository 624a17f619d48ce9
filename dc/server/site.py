"""One port for everything: each request finds its page, its API call, its bytes, or the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import trio

from dc import http, limits, link
from dc.errors import BlobMismatch, DcError, StoreError, UnknownJob, UnknownTask
from dc.http import Request, Response, Upgrade
from dc.link import Link
from dc.messages import Blob, Payload
from dc.server.api import Api
from dc.server.app import ServerApp
from dc.server.pages import Pages
from dc.server.views import Views, number

SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]


class Site:
    """Serves connections.

    Args:
        app: the server behind it.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self._views = Views(app)
        self._api = Api(self._views, app)
        self._pages = Pages(self._views)
        self._open = 0

    async def serve_stream(self, stream: trio.abc.Stream, address: str = "") -> None:
        """Serve one connection to its end, whatever comes over it."""
        if self._open >= limits.CONNECTIONS or self._app.stopping:
            await _turn_away(stream)
            return

        async def upgraded(_: Upgrade, stream: trio.abc.Stream, initial: bytes) -> None:
            await self._app.serve_socket(Link(stream, client=False, initial=initial), address)

        self._open += 1
        try:
            await http.serve(stream, self.answer, upgraded)
        finally:
            self._open -= 1

    async def answer(self, request: Request) -> Response | Upgrade:
        """Answer one request."""
        try:
            answer = await self._route(request)
        except (UnknownJob, UnknownTask) as error:
            answer = self._error(request, error, 404)
        except BlobMismatch as error:
            answer = self._error(request, error, 400)
        except StoreError as error:
            answer = self._error(request, error, 503)
        if isinstance(answer, Response):
            answer.headers.extend(SECURITY_HEADERS)
        return answer

    def _error(self, request: Request, error: DcError, status: int) -> Response:
        if request.path.startswith("/api/"):
            return Response.json({"error": error.code, "text": str(error)}, status)
        return self._pages.error(status, str(error))

    async def _route(self, request: Request) -> Response | Upgrade:
        parts = request.path.strip("/").split("/")
        match parts:
            case ["socket"]:
                return self._socket(request)
            case ["api", *rest]:
                return await self._api.answer(request, rest)
            case ["blobs", name]:
                return await self._blob(request, name)
            case ["jobs", job, "tasks", task, "payload" | "result" as which]:
                return await self._bytes(request, which, number(job), number(task))
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        return await self._pages.answer(request, parts)

    def _socket(self, request: Request) -> Response | Upgrade:
        if request.method != "GET":
            return Response.not_allowed("GET")
        return Upgrade(link.check_upgrade(request.method, request.headers), None)

    # --- bytes ----------------------------------------------------------------------------------

    async def _bytes(self, request: Request, which: str, job: int, task: int) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD")
        if which == "payload":
            return self._octets(await self._views.payload(job, task))
        return self._octets(await self._views.result(job, task))

    def _octets(self, payload: Payload) -> Response:
        if isinstance(payload, Blob):
            return self._file(payload.digest)
        return Response(200, payload, "application/octet-stream")

    def _file(self, digest: bytes) -> Response:
        path = self._app.blobs.path(digest)
        if path is None:
            return self._pages.error(404, f"there is no blob {digest.hex()}")
        return Response(200, path, "application/octet-stream")

    async def _blob(self, request: Request, name: str) -> Response:
        try:
            digest = bytes.fromhex(name)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            return self._pages.error(404, "a blob's name is its SHA-256 in 64 hexadecimal digits")
        if request.method == "PUT":
            pieces: AsyncIterator[bytes] = request.stream()
            new = await self._app.blobs.put(digest, request.content_length, pieces)
            return Response.text(201 if new else 200, "stored\n" if new else "was here already\n")
        if request.method not in ("GET", "HEAD"):
            return Response.not_allowed("GET", "HEAD", "PUT")
        return self._file(digest)


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
