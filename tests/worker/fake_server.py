"""A scripted server, and a scene of it with one worker over memory streams."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from trio.abc import Stream
from trio.testing import memory_stream_pair

from dc import limits
from dc.errors import ConnectionLost
from dc.http import Request, Response, Upgrade, serve
from dc.link import Link
from dc.link_open import check_upgrade
from dc.messages import PROTOCOL, Codec, FromWorker, Hello, Welcome
from dc.messages_parts import Blob, Message
from dc.messages_worker import Assign, Done, Failed, Recorded, Returned
from dc.testing import FakeExecutor
from dc.testing.wires import Wire
from dc.worker.app import WorkerApp
from dc.worker.identity import Identity
from dc.worker.keeping import Keeping

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Kind = TypeVar("Kind")
WELCOME = Welcome(PROTOCOL, "fake", [])
BIG = 3 * limits.INLINE_BYTES


class FakeServer:
    """Answers Hello with `greeting` and keeps what it hears; the rest is up to the test.

    Attributes:
        down: refuses connections.
        records: acknowledges reports.
        deaf: hears, and says nothing more.
        room: bytes that are on their way before a sender waits; any number if it is None.
        lose: breaks so many HTTP exchanges before it answers one.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.codec = Codec(FromWorker)
        self.greeting: Message = WELCOME
        self.down = self.deaf = False
        self.records = True
        self.lose = 0
        self.room: int | None = None
        self.full = 0  # so many requests more are answered with 507
        self.opened: list[float] = []
        self.heard: list[Any] = []
        self.frames = 0
        self.payloads: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.streams: list[Stream] = []
        self.link: Link | None = None
        self.closed = 0
        self._changed = trio.Event()

    async def open_stream(self) -> Stream:
        self.opened.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.down:
            raise ConnectionRefusedError(111, "refused")
        ours: Stream
        theirs: Stream
        ours, theirs = memory_stream_pair()
        if self.room is not None:
            wire = Wire(room=self.room)
            ours, theirs = wire.server, wire.client
        self.streams.append(ours)
        self.nursery.start_soon(serve, ours, self.handle, self.on_upgrade)
        return theirs

    async def handle(self, request: Request) -> Response | Upgrade:
        if request.path == "/socket":
            return Upgrade(check_upgrade(request.method, request.headers))
        if self.lose:
            self.lose -= 1
            raise ConnectionLost("lost")
        if self.full:
            self.full -= 1
            return Response.json({"error": "store_full", "text": "the disk is full"}, 507)
        if request.method == "PUT":
            data = await request.body(2**31)
            if request.headers.get("content-encoding") == "zstd":
                data = zstd.decompress(data)
            good = hashlib.sha256(data).hexdigest() == request.path.rpartition("/")[2]
            self.blobs[request.path] = data
            return Response.json({}, 201 if good else 400)
        if request.path in self.payloads:
            return Response(body=self.payloads[request.path])
        return Response.json({"error": "unknown_task", "text": "no such task"}, 404)

    async def on_upgrade(self, upgrade: Upgrade, stream: Stream, rest: bytes) -> None:
        self.link = link = Link(stream, client=False, initial=rest)
        try:
            while (data := await link.receive()) is not None:
                self.frames += 1
                for message in self.codec.decode(data):
                    await self.hear(message)
        except ConnectionLost:
            pass
        self.closed += 1
        self._wake()

    async def hear(self, message: Any) -> None:
        self.heard.append(message)
        if isinstance(message, Hello):
            await self.say(self.greeting)
        elif isinstance(message, Done | Failed | Returned) and self.records:
            await self.say(Recorded(message.sequence))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def say(self, *batch: Message) -> None:
        assert self.link is not None
        if not self.deaf:
            await self.link.send(self.codec.encode(batch))

    async def cut(self) -> None:
        """Break all connections."""
        for stream in self.streams:
            await trio.aclose_forcefully(stream)
        self.streams.clear()

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until this holds, after something was heard."""
        while not condition():
            await self._changed.wait()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [message for message in self.heard if isinstance(message, kind)]

    async def assign(
        self, *numbers: int, type_: str = "echo", timeout: float = 0.0, size: int = 0
    ) -> None:
        payloads: list[bytes | Blob] = [b"%d" % number for number in numbers]
        if size:
            for number in numbers:
                data = b"%d" % (number % 10) * size
                digest = hashlib.sha256(data).digest()
                self.payloads[f"/blobs/{digest.hex()}"] = data
                payloads[numbers.index(number)] = Blob(digest, size)
        attempts = [1] * len(numbers)
        await self.say(Assign(1, type_, "1", timeout, list(numbers), attempts, payloads))


class Scene:
    """A server, a worker, and what the worker was given."""

    def __init__(
        self,
        server: FakeServer,
        scratch: Path,
        slots: int,
        *,
        is_default: bool,
        folder: Path | None = None,
    ) -> None:
        self.server = server
        self.executors: list[FakeExecutor] = []
        self.seconds: float | Callable[[int, int], float] = 0.001
        self.ended = trio.Event()
        self.slept = 0.0  # seconds that only the clock knows which goes on in a sleep
        self.scope = trio.CancelScope()
        identity = Identity("box", is_default=is_default, key="k", slots=slots, software="test")
        self.app = WorkerApp(
            identity,
            open_stream=server.open_stream,
            start_executor=self.start_executor,
            scratch=scratch,
            host="server:8220",
            jitter=lambda: 1.0,
            keeping=Keeping(folder),
            clock=self.clock,
        )

    async def start_executor(self) -> FakeExecutor:
        await trio.lowlevel.checkpoint()
        functions = {"echo": lambda data: data, "big": lambda data: data * BIG}
        executor = FakeExecutor(functions, seconds=self.seconds)
        self.executors.append(executor)
        return executor

    def clock(self) -> float:
        return trio.current_time() + self.slept

    async def run(self) -> None:
        with self.scope:
            await self.app.run()
        self.ended.set()

    async def kill(self) -> None:
        """End it in the middle of whatever it does; what it does then counts for nothing."""
        self.scope.cancel()
        await self.ended.wait()


@asynccontextmanager
async def scene(
    tmp_path: Path,
    slots: int = 1,
    *,
    is_default: bool = False,
    start: bool = True,
    folder: Path | None = None,
) -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        server = FakeServer(nursery)
        one = Scene(server, tmp_path, slots, is_default=is_default, folder=folder)
        if start:
            nursery.start_soon(one.run)
            await one.server.wait_for(lambda: one.server.of(Hello))
        yield one
        nursery.cancel_scope.cancel()


def files_below(folder: Path) -> list[Path]:
    """Return all files but the blobs of the cache, and the lock of who uses it."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if len(path.parent.name) > 2 and path.name != "lock"]


def done_numbers(server: FakeServer) -> list[int]:
    return sorted(number for done in server.of(Done) for number in done.numbers)
