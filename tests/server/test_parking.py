"""Parked connections: what wakes them, and that nothing is lost by it. Over real sockets."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from dc import limits, link_open
from dc._frames import BINARY, encode_frame
from dc.blobs import BlobFolder
from dc.link import Link
from dc.messages import PROTOCOL, Codec, FromWorker, Heartbeat, Hello, ToWorker, Trouble, Welcome
from dc.messages_parts import Message
from dc.messages_worker import About, Goodbye, Vitals
from dc.plugins import Plugins
from dc.server.app import ServerApp, Settings
from dc.server.events import Troubled
from dc.server.parking import PARK_SECONDS, Parked
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.sockets import Buffer, TcpStream
from dc.store_memory import MemoryStore

pytestmark = pytest.mark.usefixtures("autojump_clock")

LOOKED = 2 * PARK_SECONDS
MASK = b"\x01\x80\x00\xff"


def frame(*messages: Message, mask: bytes = MASK) -> bytes:
    return encode_frame(BINARY, Codec(FromWorker).encode(messages), mask)


class Running:
    """A server that runs, and what workers do with it."""

    def __init__(self, app: ServerApp, nursery: trio.Nursery) -> None:
        self.app = app
        self._site = Site(app)
        self._nursery = nursery
        self._codec = Codec(ToWorker)
        self._names = itertools.count(1)
        self.workers: list[Link] = []

    async def worker(self) -> Link:
        """Connect a worker over a real socket; it is idle."""
        ours, theirs = socket.socketpair()
        self._nursery.start_soon(self._site.serve_stream, TcpStream(ours, Buffer()))
        opened = await link_open.connect(TcpStream(theirs, Buffer()), "localhost", "/socket")
        self.workers.append(opened)
        name = f"worker-{next(self._names)}"
        about = About(name, f"key of {name}", 2, [], {}, {}, "run")
        await self.say(opened, Hello(PROTOCOL, "worker", "test", [], about))
        [welcome] = await self.hear(opened)
        assert isinstance(welcome, Welcome)
        await self.say(opened, Heartbeat())
        await trio.sleep(LOOKED)
        return opened

    async def say(self, opened: Link, *messages: Message) -> None:
        await opened.stream.send_all(frame(*messages))

    async def hear(self, opened: Link) -> list[Message]:
        with trio.fail_after(limits.SILENCE_SECONDS):
            data = await opened.receive()
        return self._codec.decode(data) if data is not None else []

    def parked(self) -> int:
        assert len(self.app.parking) == sum(
            isinstance(one, Parked) for one in self.app._connections.all()
        )
        self.app.reactor.validate()
        return len(self.app.parking)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    settings = Settings("dc test", "http://localhost:1", folder, 0.0)
    app = ServerApp(MemoryStore(), BlobFolder(folder), PluginTypes(Plugins()), settings)
    await app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        server = Running(app, nursery)
        yield server
        for worker in server.workers:
            await trio.aclose_forcefully(worker.stream)
        app.stop()
        await app.wait_stopped()


async def test_an_idle_worker_is_parked_and_its_heartbeats_are_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        workers = [await server.worker() for _ in range(3)]
        assert server.parked() == 3
        for _ in range(10):
            await trio.sleep(limits.HEARTBEAT_SECONDS)
            for worker in workers:
                await server.say(worker, Heartbeat())
            for worker in workers:
                assert await server.hear(worker) == [Heartbeat()]
            assert server.parked() == 3, "nobody was woken"
        assert server.app.sockets == 3


async def test_the_server_speaks_to_a_parked_worker_that_says_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        started = trio.current_time()
        assert await server.hear(worker) == [Heartbeat()]
        assert trio.current_time() - started <= limits.HEARTBEAT_SECONDS + 2 * limits.TICK_SECONDS
        assert server.parked() == 1, "that alone wakes nobody"
        while await server.hear(worker):
            pass
        assert worker.close_code == 1001
        waited = trio.current_time() - started
        assert abs(waited - limits.SILENCE_SECONDS) <= 2 * limits.TICK_SECONDS
        await worker.aclose()


async def test_a_worker_that_says_how_its_computer_is_is_parked_again(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        workers = [await server.worker() for _ in range(3)]
        for worker in workers:
            await server.say(worker, Vitals(processors=0.5))
        await trio.sleep(LOOKED)
        assert {one.vitals for one in server.app.reactor.workers.by_peer.values()} == {
            Vitals(processors=0.5)
        }
        for worker in workers:
            await server.say(worker, Heartbeat())
            assert await server.hear(worker) == [Heartbeat()]
        await trio.sleep(LOOKED)
        assert server.parked() == 3


async def test_a_message_wakes_it_and_it_is_parked_again(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        for text in ("the disk is full", ""):
            server.app.feed(Troubled(text))
            assert server.parked() == 0
            assert await server.hear(worker) == [Trouble(text)]
            await server.say(worker, Heartbeat())
            await trio.sleep(LOOKED)
            assert server.parked() == 1


async def test_what_is_no_heartbeat_wakes_it_whole(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        await worker.stream.send_all(frame(Heartbeat()) * 10 + frame(Goodbye()))
        await trio.sleep(LOOKED)
        assert server.parked() == 0
        assert not server.app.reactor.workers.by_peer, "it said goodbye"
        assert server.app.sockets == 1
        await worker.aclose()
        await trio.sleep(LOOKED)
        assert server.app.sockets == 0


@pytest.mark.parametrize("cut", range(1, 18))
async def test_a_heartbeat_in_pieces_is_one_all_the_same(tmp_path: Path, cut: int) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        await trio.sleep(limits.HEARTBEAT_SECONDS - LOOKED)
        await worker.stream.send_all(frame(Heartbeat())[:cut])
        await trio.sleep(LOOKED)
        assert server.parked() == 0
        await worker.stream.send_all(frame(Heartbeat())[cut:])
        assert await server.hear(worker) == [Heartbeat()]
        await server.say(worker, Heartbeat())
        await trio.sleep(LOOKED)
        assert server.parked() == 1


async def test_half_a_frame_behind_a_heartbeat_keeps_it_awake(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        await worker.stream.send_all(frame(Heartbeat()) + frame(Heartbeat())[:7])
        await trio.sleep(LOOKED)
        await worker.stream.send_all(frame(Heartbeat())[7:])
        await trio.sleep(LOOKED)
        assert server.parked() == 1


async def test_who_breaks_the_rules_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        await worker.stream.send_all(encode_frame(BINARY, b"not masked"))
        while await server.hear(worker):
            pass
        assert worker.close_code == 1002
        assert server.parked() == 0
        await worker.aclose()


async def test_a_broken_connection_is_noticed(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        await trio.aclose_forcefully(worker.stream)
        await trio.sleep(LOOKED)
        assert server.app.sockets == 0
        assert not server.app.reactor.workers.by_peer


async def test_a_worker_that_reads_nothing_is_given_up(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        worker = await server.worker()
        [parked] = server.app._connections.all()
        assert isinstance(parked, Parked)
        assert isinstance(parked.stream, TcpStream)
        with suppress(BlockingIOError):
            while True:
                parked.stream.socket.send(b"\x00" * 4096)
        await trio.sleep(limits.HEARTBEAT_SECONDS)
        await server.say(worker, Heartbeat())
        await trio.sleep(LOOKED + 5.0)
        assert server.app.sockets == 0
        await trio.aclose_forcefully(worker.stream)


async def test_a_server_that_stops_says_farewell_to_parked_workers(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        workers = [await server.worker() for _ in range(3)]
        server.app.stop()
        for worker in workers:
            assert await server.hear(worker) == []
            assert worker.close_code == 1001
            await worker.aclose()
