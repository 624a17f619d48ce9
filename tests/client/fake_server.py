"""A server that runs each task itself as soon as it comes, and does what a test's script says.

It speaks the real wire over any Trio stream. It keeps everything in memory, and records what it was
sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio
from trio.abc import Stream
from trio.testing import memory_stream_pair

import dc
from dc import limits, messages, messages_client
from dc.errors import UnknownJob, UnknownTaskType
from dc.http import Request, Response, Upgrade, serve
from dc.link import Link
from dc.link_open import check_upgrade
from dc.messages import Codec, FromClient
from dc.messages_client import Counts, Finished, Status
from dc.messages_parts import Blob, Failure, Outcome
from dc.server.problems import problem_of

Run = Callable[[int, Any], Outcome]


def pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def unpack(data: bytes) -> Any:
    return msgspec.msgpack.decode(data)


@dataclass
class FakeType:
    """A task type of the fake server: its codecs, and what it does with (number, payload)."""

    run: Run
    payload: str = "msgpack"
    result: str = "msgpack"


def square(number: int, payload: bytes) -> Outcome:
    value = unpack(payload)
    if value == 13:
        return Failure("error", "ValueError: thirteen", "Traceback: thirteen")
    return pack(value * value)


def echo(number: int, payload: Any) -> Outcome:
    return payload  # type: ignore[no-any-return]


def types() -> dict[str, FakeType]:
    return {
        "square": FakeType(square),
        "echo": FakeType(echo, "bytes", "bytes"),
        "wordcount": FakeType(lambda _, payload: pack({unpack(payload): 1})),
    }


@dataclass
class FakeJob:
    number: int
    type: str
    options: dict[str, Any]
    key: str = ""
    payloads: list[Any] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ended: bool = False
    cancelled: bool = False

    @property
    def state(self) -> str:
        if self.cancelled:
            return "cancelled"
        if not self.ended:
            return "open"
        if len(self.outcomes) < len(self.payloads):
            return "running"
        return "failed" if self.counts.failed else "done"

    @property
    def counts(self) -> Counts:
        failed = sum(isinstance(outcome, Failure) for outcome in self.outcomes)
        total, done = len(self.payloads), len(self.outcomes) - failed
        open_ = total - len(self.outcomes)
        if self.cancelled:
            return Counts(total=total, done=done, failed=failed, cancelled=open_)
        return Counts(total=total, running=open_, done=done, failed=failed)


class FakeServer:
    """See the module. What a test may set:

    Attributes:
        types: by name.
        batch: tasks in one Finished.
        run_limit: tasks of a job that are run, at most.
        cut_after: Finished messages after which the connection breaks, once.
        down: refuses connections.
        deaf: reads, and says nothing more, not even heartbeats.
        acknowledge: whether Stored is sent.
        frames: the number of messages of each frame that came.
        welcome: what is said first.
        spoiled: the bytes that are sent in place of a blob's.
        hook: called with each message that came, once it is answered.
    """

    def __init__(self, nursery: trio.Nursery | None = None) -> None:
        self.nursery = nursery
        self.types = types()
        self.jobs: dict[int, FakeJob] = {}
        self.blobs: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.gets: list[str] = []
        self.spoiled = b""
        self.received: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        self.frames: list[int] = []
        self.connections = 0
        self.streams: list[Stream] = []
        self.peers: list[FakePeer] = []
        self.batch = 3
        self.warning = ""
        self.run_limit = 10**9
        self.cut_after = 10**9
        self.down = False
        self.deaf = False
        self.acknowledge = True
        self.welcome: Any = messages.Welcome(1, "fake", [])
        self.hook: Callable[[Any], None] = lambda message: None
        self.changed = trio.Event()

    def wake(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.received if isinstance(message, kind)]

    async def open_stream(self) -> Stream:
        assert self.nursery is not None
        if self.down:
            raise ConnectionRefusedError(111, "refused")
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, ours)
        return theirs

    async def cut(self) -> None:
        """Break all connections."""
        for stream in self.streams:
            await trio.aclose_forcefully(stream)
        self.streams.clear()
        self.peers.clear()

    async def tell(self, message: Any) -> None:
        """Send a message to all clients."""
        for peer in self.peers:
            await peer.send(message)

    async def serve(self, stream: Stream) -> None:
        self.streams.append(stream)
        await serve(stream, self.handle, self.on_upgrade)

    async def handle(self, request: Request) -> Response | Upgrade:
        parts = request.path.strip("/").split("/")
        if request.path == "/socket":
            return Upgrade(check_upgrade(request.method, request.headers))
        if parts[0] == "blobs" and request.method == "PUT":
            data = await request.body(2**31)
            self.puts.append(parts[1])
            if hashlib.sha256(data).hexdigest() != parts[1]:
                return problem_of("payload", 400, "", "another digest")
            self.blobs[parts[1]] = data
            return Response.json({}, 201)
        if parts[0] == "blobs":
            return self.octets(request, self.blobs.get(parts[1]))
        if parts[0] == "jobs" and parts[-1] == "result":
            return self.octets(request, self.result(int(parts[1]), int(parts[3])))
        if request.method in ("POST", "PATCH", "DELETE"):
            self.asked.append((request.method, request.path, await request.body(limits.MIB)))
        if request.path in self.answers:
            return Response.json(self.answers[request.path])
        return problem_of("unknown_job", 404, "", f"nothing at {request.path}")

    def result(self, job: int, number: int) -> bytes | None:
        if job not in self.jobs:
            return None
        outcome = self.jobs[job].outcomes[number]
        return self.blobs[outcome.name] if isinstance(outcome, Blob) else outcome  # type: ignore

    def octets(self, request: Request, data: bytes | None) -> Response:
        """Return bytes as the server does: with their digest, and in ranges."""
        if data is None:
            return problem_of("unknown_blob", 404, "", "it is not here")
        self.gets.append(request.headers.get("range", ""))
        digest = hashlib.sha256(data).hexdigest()
        answer = Response(200, self.spoiled or data, "application/octet-stream")
        answer.headers.append(("ETag", f'"{digest}"'))
        if "range" in request.headers:
            start, _, stop = request.headers["range"].removeprefix("bytes=").partition("-")
            first, last = int(start), int(stop) if stop else len(data) - 1
            answer.status, answer.body = 206, (self.spoiled or data)[first : last + 1]
            answer.headers.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
        return answer

    async def on_upgrade(self, upgrade: Upgrade, stream: Stream, rest: bytes) -> None:
        self.connections += 1
        async with trio.open_nursery() as nursery:
            peer = FakePeer(self, Link(stream, client=False, initial=rest), nursery)
            self.peers.append(peer)
            await peer.run()
            nursery.cancel_scope.cancel()


class FakePeer:
    """One connected client."""

    def __init__(self, server: FakeServer, link: Link, nursery: trio.Nursery) -> None:
        self.server = server
        self.link = link
        self.nursery = nursery
        self.codec = Codec(FromClient)
        self.unconsumed: dict[int, int] = {}
        self.submitting: dict[int, FakeJob] = {}

    async def send(self, *batch: Any) -> None:
        if not self.server.deaf:
            await self.link.send(self.codec.encode(batch))

    async def run(self) -> None:
        try:
            self.nursery.start_soon(self.beat)
            while (data := await self.link.receive()) is not None:
                batch = self.codec.decode(data)
                self.server.frames.append(len(batch))
                for message in batch:
                    self.server.received.append(message)
                    await self.on_message(message)
                    self.server.hook(message)
        except Exception as error:  # the client has gone
            assert type(error).__name__ == "ConnectionLost", error  # noqa: PT017

    async def beat(self) -> None:
        while True:
            await trio.sleep(limits.HEARTBEAT_SECONDS)
            try:
                await self.send(messages.Heartbeat())
            except Exception:
                return

    async def on_message(self, message: Any) -> None:
        server = self.server
        match message:
            case messages.Hello():
                await self.send(server.welcome)
            case messages_client.Submit():
                await self.on_submit(message)
            case messages_client.Payloads(request) | messages_client.EndOfJob(request):
                if request in self.submitting:
                    await self.on_tasks(message, self.submitting[request])
            case messages_client.Subscribe() | messages_client.Watch() | messages_client.Cancel():
                await self.on_job(message)
            case messages_client.Consumed(request, size):
                self.unconsumed[request] -= size
                assert self.unconsumed[request] >= 0
                server.wake()
            case messages_client.Unsubscribe(request):
                self.unconsumed.pop(request, None)
                server.wake()

    async def on_submit(self, message: messages_client.Submit) -> None:
        server, request = self.server, message.request
        if message.type not in server.types:
            error = UnknownTaskType(f"no task type {message.type!r}")
            await self.send(messages.Refused(request, error.code, str(error)))
            return
        found = [job for job in server.jobs.values() if job.key == message.key]
        assert message.resume or not found, "a key was used twice"
        job = found[0] if found else FakeJob(len(server.jobs) + 1, message.type, message.options)
        job.key = message.key
        server.jobs[job.number] = self.submitting[request] = job
        kind = server.types[message.type]
        codecs, there = (kind.payload, kind.result), (len(job.payloads), job.ended)
        said = (job.type, "1", *codecs, *there, server.warning)
        await self.send(messages_client.Accepted(request, job.number, *said))
        if found:
            await self.send(messages_client.Stored(request, len(job.payloads), job.ended))

    async def on_tasks(
        self, message: messages_client.Payloads | messages_client.EndOfJob, job: FakeJob
    ) -> None:
        assert not job.ended
        if job.cancelled:
            return
        if isinstance(message, messages_client.Payloads):
            await self.on_payloads(job, message)
        else:
            job.ended = True
            self.server.wake()
            await self.send(messages_client.Stored(message.request, len(job.payloads), True))

    async def on_payloads(self, job: FakeJob, message: messages_client.Payloads) -> None:
        assert message.first == len(job.payloads)
        job.payloads += message.payloads
        run = self.server.types[job.type].run
        for number in range(len(job.outcomes), min(len(job.payloads), self.server.run_limit)):
            job.outcomes.append(run(number, job.payloads[number]))
        self.server.wake()
        if self.server.acknowledge:
            await self.send(messages_client.Stored(message.request, len(job.payloads), False))

    async def on_job(self, message: Any) -> None:
        job = self.server.jobs.get(message.job)
        if job is None:
            error = UnknownJob(f"there is no job {message.job}")
            await self.send(messages.Refused(message.request, error.code, str(error)))
        elif isinstance(message, messages_client.Cancel):
            job.cancelled = job.state not in ("done", "failed")
            await self.send(self.status(message.request, job))
            self.server.wake()
        elif isinstance(message, messages_client.Watch):
            self.unconsumed[message.request] = 0
            self.nursery.start_soon(self.watch, message.request, job)
        else:
            self.unconsumed[message.request] = 0
            self.nursery.start_soon(self.stream, message, job)

    def status(self, request: int, job: FakeJob) -> Status:
        kind = self.server.types[job.type]
        return Status(
            request, job.number, job.state, job.counts, job.type, "1", kind.payload, kind.result
        )

    async def watch(self, request: int, job: FakeJob) -> None:
        last = None
        while request in self.unconsumed:
            status = self.status(request, job)
            if status != last:
                last = status
                try:
                    await self.send(status)
                except Exception:
                    return
            if status.state in ("done", "failed", "cancelled"):
                return
            await self.server.changed.wait()

    async def stream(self, asked: messages_client.Subscribe, job: FakeJob) -> None:
        """Send batches as real ones: two to a record when they come as they may."""
        at = asked.after
        try:
            while asked.request in self.unconsumed:
                stop = min(at + self.server.batch, len(job.outcomes))
                if self.unconsumed[asked.request] >= limits.STREAM_BYTES:
                    await self.server.changed.wait()
                elif at < stop:
                    await self.send(self.finished(asked, job, range(at, stop)))
                    self.server.cut_after -= 1
                    if self.server.cut_after == 0:
                        await self.server.cut()
                    at = stop
                elif job.state == "cancelled":
                    text = f"job {job.number} was cancelled"
                    await self.send(messages.Refused(asked.request, "cancelled", text))
                    return
                elif job.state in ("done", "failed"):
                    await self.send(messages_client.EndOfResults(asked.request))
                    return
                else:
                    await self.server.changed.wait()
        except Exception as error:
            assert type(error).__name__ == "ConnectionLost", error  # noqa: PT017

    def finished(
        self, asked: messages_client.Subscribe, job: FakeJob, numbers: Iterable[int]
    ) -> Finished:
        rows = list(numbers)
        outcomes = [job.outcomes[number] for number in rows]
        size = sum(len(one) if isinstance(one, bytes) else 100 for one in outcomes)
        self.unconsumed[asked.request] += size
        attempts, times = [1] * len(rows), [0.5] * len(rows)
        cursor = rows[-1] + 1
        return Finished(asked.request, cursor, "box", 1e9, size, rows, attempts, times, outcomes)


class PlainFake:
    """A fake server inside the plain client's own background thread."""

    def __init__(self) -> None:
        self.server = FakeServer()

    async def open_stream(self) -> Any:
        ours, theirs = memory_stream_pair()
        trio.lowlevel.spawn_system_task(self.server.serve, ours)
        return theirs

    def client(self) -> dc.Client:
        return dc.Client(open_stream=self.open_stream)
