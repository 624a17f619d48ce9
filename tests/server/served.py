"""A server without a socket that has task types, and requests for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

import dc
from dc.blobs import BlobFolder
from dc.broadcasts import Network
from dc.errors import ConnectionLost
from dc.http import Request, Response
from dc.http_patched import Patched
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_parts import Failure
from dc.messages_worker import About, Appliance, Assign, Done, Failed, TypeId
from dc.plugins import Plugins
from dc.roles import LOCAL, Principal
from dc.server.app import ServerApp, Settings
from dc.server.events import Opened, Received
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from dc.wake import Waker


class Point(msgspec.Struct):
    """A payload with a shape."""

    x: int
    raw: bytes = b""


@dc.task_type
def double(point: Point) -> int:
    """Double a number."""
    return 2 * point.x


@dc.task_type
def copy(data: bytes) -> bytes:
    """Copy bytes."""
    return data


class Pieces:
    """The body of a request, in pieces; after the last one it ends, breaks off, or waits."""

    def __init__(self, *pieces: bytes, breaks: bool = False) -> None:
        self._pieces = list(pieces)
        self._breaks = breaks

    async def next_piece(self, request: Request) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._pieces and self._breaks:
            raise ConnectionLost("it broke")
        return self._pieces.pop(0) if self._pieces else b""

    async def move_to(self, request: Request, sink: Callable[[memoryview], object]) -> int:
        piece = await self.next_piece(request)
        sink(memoryview(piece))
        return len(piece)


def request(method: str, target: str, body: Pieces | None = None, **headers: str) -> Request:
    """Return a request; of the names of headers `_` stands for `-`."""
    pairs = {"Host": "localhost", **headers}
    pairs |= {"Transfer-Encoding": "chunked"} if body is not None else {"Content-Length": "0"}
    encoded = [(name.replace("_", "-").encode(), text.encode()) for name, text in pairs.items()]
    return Request(body or Pieces(), method, target, "1.1", encoded)


class Answer:
    """What came back, read to its end."""

    def __init__(self, response: Response, body: bytes) -> None:
        self.status = response.status
        self.kind = response.content_type
        self.headers = dict(response.headers)
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def lines(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.body.splitlines()]


HARMLESS: Final = Waker(lambda: [Network("127.0.0.1", "127.0.0.1")], pause=0.0)
"""Wakes nobody: what it sends stays on this computer."""


class Served:
    """A server without a socket."""

    def __init__(self, folder: Path, *, secure: bool = False, waker: Waker = HARMLESS) -> None:
        self.store = MemoryStore()
        plugins = Plugins()
        for type_ in (double, copy):
            plugins._add("served", type_)
        where, images = ("dc test", "http://127.0.0.1:1", folder, 0.0), [folder / "os-image"]
        settings = Settings(*where, secure=secure, waker=waker, os_image=images)
        self.blobs = BlobFolder(folder)
        self.app = ServerApp(self.store, self.blobs, PluginTypes(plugins), settings)
        self.site = Site(self.app)

    async def send(
        self, method: str, target: str, body: Pieces | bytes = b"", **headers: str
    ) -> Answer:
        """Make a request, read its answer to the end."""
        pieces = Pieces(body) if isinstance(body, bytes) and body else body or None
        assert not isinstance(pieces, bytes)
        response = await self.site.answer(request(method, target, pieces, **headers))
        assert isinstance(response, Response)
        return Answer(response, await read(response))

    async def post(self, target: str, value: Any, **headers: str) -> Answer:
        """Post a value as JSON."""
        body = msgspec.json.encode(value)
        return await self.send("POST", target, body, Content_Type="application/json", **headers)

    def work(
        self,
        name: str = "w",
        peer: int = 9000,
        *can: str,
        principal: Principal = LOCAL,
        appliance: Appliance | None = None,
    ) -> FakeWorker:
        """Have a worker come, of some capabilities."""
        return FakeWorker(self.app, name, peer, *can, principal=principal, appliance=appliance)


async def read(response: Response) -> bytes:
    """Return the whole body of an answer."""
    if isinstance(response.body, bytes):
        return response.body
    if isinstance(response.body, Path):
        return response.body.read_bytes()
    if isinstance(response.body, Patched):
        return patched(response.body)
    try:
        return b"".join([piece async for piece in response.body])
    finally:
        close = getattr(response.body, "aclose", None)
        if close is not None:
            await close()


def patched(body: Patched) -> bytes:
    """Return what is sent of a file in which other bytes are put."""
    data = body.path.read_bytes()
    return data[: body.at] + body.data + data[body.at + len(body.data) :]


class FakeWorker:
    """A worker of both types that is no connection: it answers when it is told to."""

    def __init__(
        self,
        app: ServerApp,
        name: str,
        peer: int,
        *can: str,
        principal: Principal = LOCAL,
        appliance: Appliance | None = None,
    ) -> None:
        self.app, self.peer, self.sequence = app, peer, 0
        self.assigned: list[tuple[int, int, int, Any]] = []
        app._connections.put(peer, self)  # type: ignore[arg-type]
        types = [TypeId(one.name, one.version) for one in (double, copy)]
        about = About(name, f"key of {name}", 4, types, {}, {}, "run", appliance=appliance)
        app.feed(Opened(peer, "10.0.0.1:5", principal))
        app.feed(Received(peer, [Hello(PROTOCOL, "worker", "dc", list(can), about), Heartbeat()]))

    def push(self, message: object, size: int) -> None:
        if isinstance(message, Assign):
            columns = zip(message.numbers, message.attempts, message.payloads, strict=True)
            self.assigned += [(message.job, *row) for row in columns]

    def flush(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.app.leave(self.peer)

    def take(self) -> list[tuple[int, int, int, Any]]:
        taken, self.assigned = self.assigned, []
        return taken

    def done(self, task: tuple[int, int, int, Any], result: Any) -> None:
        self.sequence += 1
        job, number, attempt, _ = task
        message = Done(self.sequence, job, [number], [attempt], [0.5], [result])
        self.app.feed(Received(self.peer, [message]))

    def done_all(self) -> None:
        """Say that all that was assigned is done."""
        for task in self.take():
            self.done(task, b"")

    def failed(self, task: tuple[int, int, int, Any], error: str) -> None:
        self.sequence += 1
        job, number, attempt, _ = task
        failure = Failure("error", error, "a traceback")
        self.app.feed(
            Received(self.peer, [Failed(self.sequence, job, number, attempt, 0.5, failure)])
        )


@asynccontextmanager
async def serving(
    folder: Path, *, secure: bool = False, waker: Waker = HARMLESS
) -> AsyncIterator[Served]:
    """Serve, until the block ends."""
    served = Served(folder, secure=secure, waker=waker)
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        yield served
        served.app.stop()
