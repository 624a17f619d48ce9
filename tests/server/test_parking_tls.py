"""Connections with TLS are parked as others are: nothing that TLS holds back is lost."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from dc import limits, limits_client, link_open
from dc.link import Link
from dc.messages import PROTOCOL, Heartbeat, Hello, Welcome
from dc.messages_worker import About
from dc.sockets import Buffer, TcpStream
from dc.tls_stream import TlsStream
from tests import tls
from tests.server.test_parking import LOOKED, Running, frame, running

pytestmark = pytest.mark.usefixtures("autojump_clock")

GOODBYE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # a close frame of a client, with 1000


async def worker(server: Running) -> tuple[Link, TlsStream]:
    """Connect a worker over TLS, which is then idle; return its link and the stream below."""
    ours, theirs = socket.socketpair()
    client, there = await tls.streams(TcpStream(ours, Buffer()), TcpStream(theirs, Buffer()))
    server._nursery.start_soon(server._site.serve_stream, there)
    link = await link_open.connect(client, "localhost", "/socket")
    server.workers.append(link)
    about = About("w", "key of w", 2, [], {}, {}, "run")
    await server.say(link, Hello(PROTOCOL, "worker", "test", [], about))
    [welcome] = await server.hear(link)
    assert isinstance(welcome, Welcome)
    await server.say(link, Heartbeat())
    await trio.sleep(LOOKED)
    assert server.parked() == 1
    return link, client


async def test_heartbeats_are_answered_and_wake_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        link, _ = await worker(server)
        for _ in range(10):
            await trio.sleep(limits.HEARTBEAT_SECONDS)
            await server.say(link, Heartbeat())
            assert await server.hear(link) == [Heartbeat()]
            assert server.parked() == 1


async def test_half_a_record_waits_for_the_other_half(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        link, client = await worker(server)
        record = client.cipher.encrypt(frame(Heartbeat()))
        for start in range(0, len(record), 7):
            await client.stream.send_all(record[start : start + 7])
            await trio.sleep(LOOKED)
            assert server.parked() == 1
        assert await server.hear(link) == [Heartbeat()]


async def test_several_records_and_long_ones_reach_the_link_that_is_woken(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        link, client = await worker(server)
        said = [frame(*[Heartbeat()] * 40), frame(Heartbeat())]
        await client.stream.send_all(b"".join(map(client.cipher.encrypt, said)))
        await trio.sleep(LOOKED)
        assert await server.hear(link) == [Heartbeat()]
        await trio.sleep(limits.HEARTBEAT_SECONDS)
        await server.say(link, Heartbeat())
        assert await server.hear(link)
        await server.say(link, Heartbeat())
        await trio.sleep(LOOKED)
        assert server.parked() == 1


@pytest.mark.parametrize("how", ["goodbye", "cut", "scribble"])
async def test_its_end_wakes_it(tmp_path: Path, how: str) -> None:
    async with running(tmp_path) as server:
        link, client = await worker(server)
        if how == "goodbye":
            await client.send_all(GOODBYE)
            assert await link.receive() is None
        elif how == "cut":
            client.close_now()
        else:
            await client.stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        await trio.sleep(LOOKED + limits_client.CLOSE_SECONDS)
        assert server.parked() == 0
        assert server.app.sockets == 0
