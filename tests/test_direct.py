"""Bytes straight into a stream: real sockets, and links that send without waiting."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from dc import limits
from dc.direct import send_now_of
from dc.errors import ConnectionLost
from dc.link import Link
from dc.testing.wires import Wire

SECONDS = 20.0


@asynccontextmanager
async def sockets() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    streams = [trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in (one, other)]
    async with streams[0], streams[1]:
        yield streams[0], streams[1]


async def test_a_socket_takes_what_it_has_room_for_and_not_more() -> None:
    async with sockets() as (one, other):
        send_now = send_now_of(one)
        assert send_now is not None
        assert send_now(b"abc") == 3
        assert await other.receive_some() == b"abc"
        data, sent = bytes(1 << 20), 0
        while taken := send_now(data):
            sent += taken
        assert sent > 0
        with trio.fail_after(SECONDS):
            while sent:
                sent -= len(await other.receive_some())
        assert send_now(b"again") == 5


async def test_a_socket_that_is_gone_says_so() -> None:
    async with sockets() as (one, other):
        send_now = send_now_of(one)
        assert send_now is not None
        await other.aclose()
        with pytest.raises(trio.BrokenResourceError):
            send_now(b"x")
        await one.aclose()
        with pytest.raises(trio.ClosedResourceError):
            send_now(b"x")


def test_a_stream_that_cannot_is_told_apart() -> None:
    assert send_now_of(trio.testing.memory_stream_pair()[0]) is None


async def links(room: float) -> tuple[Wire, Link, Link]:
    wire = Wire(room=room)
    return wire, Link(wire.client, client=True), Link(wire.server, client=False)


@pytest.mark.parametrize("room", [1, 2, 3, 10, 100, 10_000])
async def test_messages_keep_their_order_whatever_the_stream_takes(
    room: int, autojump_clock: trio.testing.MockClock
) -> None:
    _, ours, theirs = await links(room)
    sent = [b"%d" % n * n for n in range(60)]
    got: list[bytes | None] = []

    async def receive() -> None:
        while len(got) < len(sent):
            got.append(await theirs.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        for message in sent:
            if ours.can_send_now:
                ours.send_now(message)
                if ours.has_rest:
                    assert not ours.can_send_now
                    if len(message) % 2:
                        await ours.flush()
            else:
                await ours.send(message)
        await ours.flush()
    assert got == sent
    assert ours.sent_bytes == theirs.received_bytes


async def test_nothing_goes_between_the_halves_of_a_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    _, ours, theirs = await links(20)
    async with trio.open_nursery() as nursery:
        ours.send_now(b"x" * 100)
        assert ours.has_rest
        nursery.start_soon(ours.aclose)
        assert await theirs.receive() == b"x" * 100
        assert await theirs.receive() is None
        nursery.start_soon(theirs.aclose)
    assert not ours.can_send_now


async def test_a_broken_stream_ends_a_link_for_good() -> None:
    wire, ours, _ = await links(1000)
    wire.cut()
    with pytest.raises(ConnectionLost, match="broke"):
        ours.send_now(b"x")
    assert not ours.can_send_now
    with pytest.raises(ConnectionLost, match="cut short"):
        await ours.send(b"x")


async def test_a_message_over_the_limit_is_not_begun() -> None:
    _, ours, _ = await links(1000)
    with pytest.raises(ValueError, match="at most"):
        ours.send_now(bytes(limits.MESSAGE_BYTES + 1))
    assert ours.can_send_now
