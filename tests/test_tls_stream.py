"""TLS over a stream keeps what a Trio stream promises, whatever room there is below."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from dc import http_body, http_cipher, limits_access, limits_http
from dc.sockets import Buffer, TcpStream
from dc.tls_stream import TlsStream
from tests import tls

MIB = 1 << 20
PIECE = limits_access.TLS_PIECE_BYTES

Pair = tuple[TlsStream, TlsStream]


@asynccontextmanager
async def over_tcp(version: ssl.TLSVersion | None = None) -> AsyncIterator[Pair]:
    left, right = socket.socketpair()
    buffer = Buffer()
    pair = await tls.streams(TcpStream(left, buffer), TcpStream(right, buffer), version)
    with trio.fail_after(30):
        yield pair
    for one in pair:
        await one.aclose()


async def read_all(stream: TlsStream) -> bytes:
    got = bytearray()
    while piece := await stream.receive_some():
        got += piece
    return bytes(got)


class Narrow(trio.abc.Stream):
    """A stream that takes at once only as many bytes as a test says, and all when it is waited for.

    What is sent stays here; what a test puts in is received.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent = bytearray()
        self.receives: list[bytes] = []

    def send_now(self, data: bytes) -> int:
        taken = min(self.room, len(data))
        self.room -= taken
        self.sent += data[:taken]
        return taken

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.receives.pop(0)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def narrow(room: int) -> tuple[TlsStream, Narrow, TlsStream]:
    """Return a client's stream over a narrow one, and the server's, that is to be fed by hand."""
    ours, theirs = trio.testing.memory_stream_pair()
    client, server = await tls.streams(ours, theirs)
    below = Narrow(room)
    client.stream, client._put = below, below.send_now
    return client, below, server


def heard(server: TlsStream, below: Narrow) -> bytes:
    """Return what the server makes of what was sent so far."""
    if below.sent:
        server.cipher.take(bytes(below.sent))
    below.sent.clear()
    view = memoryview(bytearray(8 * MIB))
    return bytes(view[: server.cipher.decrypt_into(view) or 0])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_what_is_sent_comes_whole_and_in_order_both_ways(version: ssl.TLSVersion) -> None:
    sent = os.urandom(5 * MIB)

    async def send(stream: TlsStream) -> None:
        for at in range(0, len(sent), 700_001):
            await stream.send_all(memoryview(sent)[at : at + 700_001])
        await stream.send_all(b"")
        await stream.send_eof()
        await stream.send_eof()

    got: list[bytes] = []

    async def receive(stream: TlsStream) -> None:
        got.append(await read_all(stream))

    async with over_tcp(version) as pair:
        async with trio.open_nursery() as nursery:
            for one in pair:
                nursery.start_soon(send, one)
                nursery.start_soon(receive, one)
        assert got == [sent, sent]
        with pytest.raises(trio.ClosedResourceError):
            await pair[0].send_all(b"more")


@pytest.mark.parametrize("room", [0, 1, 100, PIECE, PIECE + 100, 3 * PIECE])
async def test_send_now_takes_what_there_is_room_for_and_the_rest_follows(room: int) -> None:
    client, below, server = await narrow(room)
    data = os.urandom(3 * PIECE)
    taken = client.send_now(data)
    assert taken <= room
    assert taken % PIECE == 0
    assert client.send_now(data[taken:]) == 0  # there is no room still
    got = heard(server, below)
    assert data.startswith(got)
    await client.send_all(data[taken:] + b"end")
    assert got + heard(server, below) == data + b"end"
    below.room = 1 << 20
    assert client.send_now(b"more") == 4
    assert heard(server, below) == b"more"


async def test_a_send_that_was_broken_off_is_the_last() -> None:
    client, below, server = await narrow(0)
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.send_all(b"never begun")
    assert scope.cancelled_caught
    await client.send_all(b"one")
    with trio.move_on_after(1) as scope:
        below.room = 0
        assert client.send_now(b"two") == 0
        scope.cancel()
        await client._flush()
    assert heard(server, below) == b"one"
    with pytest.raises(trio.BusyResourceError):
        await client.send_all(b"three")
    assert client.send_now(b"three") == 0
    await client.aclose()
    assert heard(server, below) == b""


async def test_after_a_flush_that_broke_the_connection_is_broken_and_not_busy() -> None:
    """Whoever meets it next knows what to do with that."""
    client, below, _ = await narrow(0)

    async def gone(data: bytes) -> None:
        raise trio.BrokenResourceError("reset")

    def gone_now(data: bytes) -> int:
        raise trio.BrokenResourceError("reset")

    below.send_all = gone  # type: ignore[method-assign,assignment]
    client._put = lambda data: 0
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"x")
    client._put = gone_now
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError):
            client.send_now(b"x")
    with pytest.raises(trio.BrokenResourceError):
        await client.send_eof()
    await client.aclose()


async def test_a_peer_that_has_tls_say_more_than_it_takes() -> None:
    client, below, _ = await narrow(0)
    for _ in range(limits_access.TLS_OWED_BYTES // 1000):
        client._say(bytes(1000))
    with pytest.raises(trio.BrokenResourceError, match="takes none of the answers"):
        client._say(bytes(2 * PIECE + 1000))
    assert not below.sent


async def test_without_send_now_below() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    client, server = await tls.streams(ours, theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"hello" * PIECE)
        got = b""
        while len(got) < 5 * PIECE:
            got += await server.receive_some(100_000)
    assert got == b"hello" * PIECE
    await client.aclose()


async def test_a_peer_that_leaves_in_the_handshake() -> None:
    for cut in (0, 1, 5, 200):
        ours, theirs = trio.testing.memory_stream_pair()
        client = TlsStream(ours, tls.client_context(), Buffer(), server=False)
        client.cipher.shake()
        first = client.cipher.output()[:cut]
        server = TlsStream(theirs, tls.server_context(), Buffer(), server=True)
        await ours.aclose()
        with pytest.raises(trio.BrokenResourceError, match="TLS"):
            await server.shake_hands(first)


async def test_a_peer_that_sends_without_end_in_the_handshake() -> None:
    below = Narrow(0)
    below.receives = [b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(16_375)] + [
        b"\x16\x03\x01\x40\x00" + bytes(16_384) for _ in range(10)
    ]
    server = TlsStream(below, tls.server_context(), Buffer(), server=True)
    with pytest.raises(trio.BrokenResourceError):
        await server.shake_hands()
    assert len(below.receives) >= 10 - limits_access.HANDSHAKE_BYTES // 16_384


async def test_what_is_said_right_behind_the_handshake_is_kept() -> None:
    """A client need not wait for the server to have its last word: so much may come with it."""
    data = os.urandom(2 * limits_access.HANDSHAKE_BYTES)
    left, right = socket.socketpair()
    ours, theirs = TcpStream(left, Buffer()), TcpStream(right, Buffer())
    client = TlsStream(ours, tls.client_context(), Buffer(), server=False)
    server = TlsStream(theirs, tls.server_context(), Buffer(), server=True)
    client.cipher.shake()
    await ours.send_all(client.cipher.output())
    server.cipher.take(await theirs.receive_some())
    server.cipher.shake()
    client.cipher.take(server.cipher.output())
    assert client.cipher.shake()
    last = client.cipher.output() + client.cipher.encrypt(data)
    got = bytearray()

    async def serve() -> None:
        await server.shake_hands()
        while len(got) < len(data):
            got.extend(await server.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await ours.send_all(last)
    assert got == data
    await client.aclose()
    await server.aclose()


async def test_who_ends_without_a_word_is_broken_and_who_closes_says_so() -> None:
    async with over_tcp() as (client, server):
        await client.send_all(b"half")
        assert await server.receive_some() == b"half"
        client.shut()
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()
    async with over_tcp() as (client, server):
        await client.send_all(b"all")
        await client.aclose()
        await client.aclose()
        assert await read_all(server) == b"all"
        with pytest.raises(trio.ClosedResourceError):
            client.send_now(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some()


async def test_a_receive_that_is_cancelled_loses_nothing() -> None:
    async with over_tcp() as (client, server):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.receive_some)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        await client.send_all(b"kept")
        assert [await server.receive_some(2), await server.receive_some(100)] == [b"ke", b"pt"]
        assert server.receive_now(100) is None
        await client.send_all(b"later")
        await trio.lowlevel.wait_readable(server.fileno())
        assert server.receive_now(3) == b"lat"
        assert server.receive_now(3) == b"er"


# --- bodies, which threads move -----------------------------------------------------------------


async def test_a_file_goes_out_and_comes_in_by_threads(tmp_path: Path) -> None:
    data = os.urandom(9 * MIB + 1)
    path = tmp_path / "file"
    path.write_bytes(data)
    got = bytearray()

    async def send(stream: TlsStream) -> None:
        await stream.send_all(b"head")
        file, size = http_body.open_file(path)
        http_body.prepare_bulk(stream)
        with file:
            start = 0
            while start < size:
                start += await http_body.send_from_file(stream, file, start, size - start)
            assert await http_body.send_from_file(stream, file, size, 100) == 0
        await stream.send_all(b"tail")

    async with over_tcp() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(send, client)
        left = len(data)
        await http_body.receive_to(server, 4, got.extend, b"(")
        while left:
            more = await http_body.receive_to(server, left, got.extend)
            left -= more
        assert bytes(got) == b"(head" + data
        assert await server.receive_some(100) == b"tail"


async def test_behind_its_own_end_a_body_is_read_still_and_none_is_sent(tmp_path: Path) -> None:
    """Who refuses a body has to read on, or the system resets the connection, answer and all."""
    async with over_tcp() as (client, server), trio.open_nursery() as nursery:
        await client.send_all(b"head")
        assert await server.receive_some() == b"head"
        await server.send_all(b"no")
        await server.send_eof()
        nursery.start_soon(client.send_all, bytes(MIB))
        left = MIB
        while left:
            left -= await http_body.receive_to(server, left, len)
        assert await read_all(client) == b"no"
        path = tmp_path / "file"
        path.write_bytes(b"x")
        with path.open("rb") as file, pytest.raises(trio.ClosedResourceError):
            await http_body.send_from_file(server, file, 0, 1)


async def test_a_record_that_was_whole_when_its_time_was_over() -> None:
    """It is given, and not kept until more comes: that may have been the last of the body."""
    async with over_tcp() as (client, server):
        assert client.below is not None
        assert server.below is not None
        wire = client.cipher.encrypt(b"the last of it")
        client.below.socket.send(wire)
        view, clock = memoryview(bytearray(100)), iter([0.0, 2.0])
        with pytest.MonkeyPatch.context() as patch, server.lent() as cipher:
            patch.setattr("dc.http_cipher.time.monotonic", lambda: next(clock))
            got = http_cipher.decrypt_all(cipher, server.fileno(), view, 1.0)
        assert got == (14, False)


async def test_a_body_comes_into_memory_by_threads() -> None:
    data = os.urandom(3 * MIB)
    async with over_tcp() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, data)
        view, at = memoryview(bytearray(len(data))), 0
        while at < len(data):
            at += await http_body.receive_into(server, view[at:])
        assert bytes(view) == data


async def test_a_sink_that_raises_and_a_peer_that_is_gone(tmp_path: Path) -> None:
    def refuse(data: memoryview) -> None:
        raise LookupError("full")

    async with over_tcp() as (client, server):
        await client.send_all(b"x" * 1000)
        with pytest.raises(LookupError, match="full"):
            await http_body.receive_to(server, 1000, refuse)
        await client.send_all(b"y")
        assert await server.receive_some(1) == b"y"
        await client.aclose()
        assert await http_body.receive_to(server, 1000, refuse) == 0
    path = tmp_path / "file"
    path.write_bytes(bytes(limits_http.MOVE_BYTES))
    async with over_tcp() as (client, server):
        server.close_now()
        with path.open("rb") as file, pytest.raises(http_body.CLOSED):
            await http_body.send_from_file(client, file, 0, limits_http.MOVE_BYTES)


async def test_while_a_thread_has_it_nobody_else_may_but_close_it() -> None:
    async with over_tcp() as (client, server):
        assert client.below is not None
        with client.lent():
            assert client.is_busy
            with pytest.raises(trio.BusyResourceError):
                client.send_now(b"x")
            with pytest.raises(trio.BusyResourceError):
                await client.receive_some()
            await client.aclose()
        with pytest.raises(trio.BrokenResourceError):  # nothing was said: the thread had the cipher
            await server.receive_some()
