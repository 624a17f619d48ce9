"""One port for everything: each request finds its page, its API call, its bytes, or the socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

import trio

from dc import http, link_open
from dc.errors import NotPermitted, NotSignedIn, ProtocolError, UnknownBlob, UnknownTask
from dc.http import Request, Response, Upgrade
from dc.link import Link
from dc.roles import Principal
from dc.server.api import ApiParts, api_routes
from dc.server.api_bytes import byte_routes
from dc.server.app import ServerApp
from dc.server.backup import backup
from dc.server.blob_answers import ASK_AGAIN, BlobAnswers, digest_named
from dc.server.boot_answers import BootAnswers
from dc.server.boot_files import BootFiles
from dc.server.clear_stream import ClearStream
from dc.server.compression import compress
from dc.server.cross_site import check_site
from dc.server.door import TEXT as USE_TLS
from dc.server.doorkeeper import Doorkeeper
from dc.server.entrance import Entrance
from dc.server.forwarded import origin
from dc.server.gate import admit
from dc.server.guard import Guard, host_of
from dc.server.limiter import Limiter
from dc.server.metrics import Metrics
from dc.server.networks import is_loopback
from dc.server.ownership import Ownership
from dc.server.places import Visit
from dc.server.problems import ANSWERED, OF_PROTOCOL, BadRequest, not_allowed, problem
from dc.server.request_tally import RequestTally
from dc.server.routes import Router, number
from dc.server.security_headers import headers_of
from dc.server.static_files import StaticFiles, wants_document
from dc.server.task_bytes import TaskBytes
from dc.server.uploads import Uploads
from dc.server.views import Views

TEXT: Final = "text/plain; charset=utf-8"

BARE: Final = {(route.method, route.path): route.who for route in byte_routes()}
"""Who may ask for what the site answers itself."""

Opening = Callable[[Any], Awaitable[trio.abc.Stream | None]]
"""Makes the stream that is served of the one that was accepted."""

DIGEST_CHARS: Final = 64
"""Of a SHA-256 as text."""


class Site:
    """Serves connections.

    Args:
        app: the server behind it.

    Attributes:
        guard: keeps it for everybody; whoever judges tokens and codes tells it what was wrong.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self._views = Views(app)
        uploads = Uploads(
            app.settings.data,
            lambda: app.reactor.board.settings.now.reserve,
            lambda: app.reactor.board.usage,
        )
        own = self._own = Ownership(app, self._views)
        self.doorkeeper = Doorkeeper(app)
        parts = ApiParts(app, self._views, uploads, own, self.doorkeeper)
        self._router = Router(api_routes(parts), own.check)
        self._files = StaticFiles()
        self._blobs = BlobAnswers(app.blobs, uploads)
        self._bytes = TaskBytes(self._views, app.blobs, self._blobs)
        self._boot = BootAnswers(app, self.doorkeeper, BootFiles(app.settings.os_image))
        self._requests = RequestTally()
        self.guard = Guard(app.settings.allowed)
        self._limiter = Limiter(self.guard)
        self.doorkeeper.tries = self.guard
        self._entrance = Entrance(self.guard, lambda: app.sockets)
        self._metrics = Metrics(app, self._requests, self.guard)
        self._hosts = {urlsplit(app.settings.address).hostname or ""}

    async def serve_stream(
        self, stream: trio.abc.Stream, address: str = "", opening: Opening | None = None
    ) -> None:
        """Serve one connection to its end, whatever comes over it.

        Args:
            stream: the connection.
            address: where it is from, with the port.
            opening: gives the stream to be served, as TLS does; None if there is none, which has
                been closed. It has a place meanwhile, like any other stranger.
        """
        upgraded, host = None, host_of(address)
        with self._entrance.visit(host) as visit:
            if visit is None or self._app.stopping:
                await _turn_away(stream, told=opening is None)
            elif (opened := stream if opening is None else await opening(stream)) is not None:
                stream = opened
                clear = isinstance(opened, ClearStream)
                answer = partial(self._in_the_clear if clear else self._visited, visit, address)
                upgraded = await http.serve_requests(stream, answer)
        if upgraded is not None:
            socket = Link(stream, client=False, initial=upgraded[1])
            principal, session, asker = cast("tuple[Principal, str, str]", upgraded[0].state)
            del upgraded  # the frame of this call stays for as long as the socket is open
            shown = asker if self._app.settings.behind_proxy else address
            await self._app.serve_socket(socket, shown, principal, session)

    async def _visited(self, visit: Visit, address: str, request: Request) -> Response | Upgrade:
        """Answer a request that came over a connection."""
        request.address = self._asker(address, request)
        self.guard.places.begin(visit)
        try:
            return await self.answer(request, visit)
        finally:
            self.guard.places.end(visit)

    async def _in_the_clear(self, visit: Visit, address: str, request: Request) -> Response:
        """Answer a request that came without TLS although there is TLS: for `/boot/…` alone.

        Nothing that it shows counts. The connection ends with it, whatever came behind it.
        """
        for name in ("authorization", "cookie"):
            request.headers.pop(name, None)
        answer: Response | Upgrade = Response.text(400, USE_TLS)
        reads = request.method in ("GET", "HEAD") and "upgrade" not in request.headers
        if reads and request.segments[0] == "boot":
            answer = await self._visited(visit, address, request)
        assert isinstance(answer, Response)
        answer.headers.append(("Connection", "close"))
        return answer

    def _asker(self, address: str, request: Request) -> str:
        """Return where a request is from, without a port: what a proxy before us says, if any."""
        if not self._app.settings.behind_proxy:
            return host_of(address)
        found = origin(address, request.headers)
        return host_of(address) if found == address else found

    async def answer(self, request: Request, visit: Visit | None = None) -> Response | Upgrade:
        """Answer one request, which came over a connection of ours or not, and count it."""
        began, status = trio.current_time(), 500
        try:
            answer = await self._answer(request, visit)
            status = answer.status if isinstance(answer, Response) else 101
        except ProtocolError as error:
            status = error.status
            raise
        finally:
            taken = trio.current_time() - began
            self._requests.count(request.method, request.path, status, taken)
        return answer

    async def _answer(self, request: Request, visit: Visit | None) -> Response | Upgrade:
        try:
            if not self.doorkeeper.gate.secure:
                self._check_host(request.headers.get("host", ""))
            check_site(request)
            request.principal = await self._who(request, visit)
            with await self._limiter.held(request, visit):
                answer = self.doorkeeper.watched(request, await self._route(request))
        except ANSWERED as error:
            answer = self.doorkeeper.refused(request, error)
        except ProtocolError as error:
            if error.status not in OF_PROTOCOL:
                raise
            answer = problem(BadRequest(OF_PROTOCOL[error.status], str(error)))
            if error.status == 426:
                answer.headers += [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        if isinstance(answer, Response):
            await compress(request, answer)
            names = {name for name, _ in answer.headers}
            more = headers_of(self._app.settings.address, answer.content_type)
            answer.headers += [one for one in more if one[0] not in names]
        return answer

    async def _who(self, request: Request, visit: Visit | None) -> Principal:
        """Return who asks; a proof that does not hold is counted as any request of a stranger.

        Raises:
            NotSignedIn, NotPermitted: it was such a proof.
            TooManyTries: there were too many.
        """
        try:
            return self.doorkeeper.who(request)
        except (NotSignedIn, NotPermitted):
            await self._limiter.held(request, visit)
            raise

    def _check_host(self, host: str) -> None:
        """See to it that a request was meant for this server, which lets everybody in.

        Where everybody has to show who they are, this is not asked: a browser shows what it has to
        show under the name of this server alone.

        A page of another site can have its own name point to this computer, and would then be
        let in as if it were ours: but its requests name that site.

        Raises:
            ProtocolError: with status 421, for a host that is neither loopback nor what was given
                by --listen.
        """
        try:
            url = urlsplit(f"//{host}")
            name, _ = url.hostname or "", url.port
        except ValueError:
            raise ProtocolError(f"{host[:80]!r} is no host", status=400) from None
        if host and name != "localhost" and name not in self._hosts and not is_loopback(name):
            raise ProtocolError(f"this server is not {name[:80]!r}", status=421)

    async def _route(self, request: Request) -> Response | Upgrade:
        parts = request.segments
        match parts:
            case ["socket"]:
                return self._socket(request)
            case ["metrics"]:
                _admit(request, "/metrics")
                return await self._metrics.answer(request)
            case ["api", "backup"]:
                return await self._backup(request)
            case ["api", *_]:
                return await self._router.answer(request)
            case ["blobs"]:
                _admit(request, "/blobs")
                return await self._blobs.post(request)
            case ["blobs", name]:
                _admit(request, "/blobs/{sha256}")
                return await self._blobs.blob(request, name)
        if request.method not in ("GET", "HEAD"):
            return not_allowed(["GET", "HEAD"])
        return await self._read_only(request, parts)

    async def _read_only(self, request: Request, parts: list[str]) -> Response:
        """Answer GET or HEAD where there is nothing else."""
        match parts:
            case ["boot", *rest]:
                return await self._boot.answer(request, rest)
            case ["plugins", *rest] if rest and _is_archive(request, rest):
                _admit(request, "/plugins/{sha256}")
                return await self._plugin(request, "/".join(rest))
            case ["jobs", job, "tasks", task, "payload" | "result" | "output" as which]:
                _admit(request, f"/jobs/{{job}}/tasks/{{task}}/{which}")
                await self._own.check(request.principal, number(job), change=False)
                return await self._of_task(request, which, number(job), number(task))
        answer = self._files.get(request, "/".join(parts)) or self._files.page(request)
        if answer is None:
            raise BadRequest("not_found", f"there is no path {request.path[:200]!r}")
        return answer

    def _socket(self, request: Request) -> Response | Upgrade:
        if request.method != "GET":
            return not_allowed(["GET"])
        headers = link_open.check_upgrade(request.method, request.headers)
        return self.doorkeeper.upgrade(request, headers)

    async def _backup(self, request: Request) -> Response:
        if request.method != "GET":
            return not_allowed(["GET"])
        _admit(request, "/api/backup")
        return await backup(self._app)

    # --- bytes ----------------------------------------------------------------------------------

    async def _of_task(
        self, request: Request, which: Literal["payload", "result", "output"], job: int, task: int
    ) -> Response:
        try:
            if which == "output":
                return await self._output(request, job, task)
            return await self._bytes.answer(request, which, job, task)
        except UnknownTask:
            await self._views.jobs.row(job)  # it is another error if there is no such job
            raise

    async def _output(self, request: Request, job: int, task: int) -> Response:
        if (whole := await self._views.outputs.whole(job, task)) is not None:
            return await self._blobs.file(request, whole.digest, ASK_AGAIN, TEXT)
        return Response(200, await self._views.outputs.text(job, task), TEXT)

    async def _plugin(self, request: Request, name: str) -> Response:
        """Return the archive of a plugin that the server has, or that a job still runs."""
        digest = digest_named(name)
        if self._app.types.shipped(digest) is None:
            raise UnknownBlob(f"there is no plugin {name[:80]!r}")
        return await self._blobs.file(request, digest)


def _admit(request: Request, path: str) -> None:
    """See to it that a request of a path that the site answers itself may be made.

    Raises:
        NotSignedIn, NotPermitted: it may not.
    """
    method = "GET" if request.method == "HEAD" else request.method
    admit(request.principal, BARE.get((method, path), ()))


def _is_archive(request: Request, rest: list[str]) -> bool:
    """Whether a path below `/plugins/` is an archive's, and not that of a page."""
    return len(rest[0]) == DIGEST_CHARS or not wants_document(request)


async def _turn_away(stream: trio.abc.Stream, *, told: bool) -> None:
    """Close a connection at once; who is told gets an answer before."""
    if told:
        with trio.move_on_after(1.0):
            await _say_full(stream)
    await trio.aclose_forcefully(stream)


async def _say_full(stream: trio.abc.Stream) -> None:
    text = "too many connections are open, or the server is stopping: try again later"
    said = problem(BadRequest("unavailable", text))
    assert isinstance(said.body, bytes)
    head = (
        f"HTTP/1.1 {said.status} {said.reason}\r\nContent-Type: {said.content_type}\r\n"
        f"Content-Length: {len(said.body)}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
    )
    with suppress(trio.BrokenResourceError):
        await stream.send_all(head.encode() + said.body)
        await stream.aclose()
