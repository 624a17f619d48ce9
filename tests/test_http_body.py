"""Bodies that move between a socket and a sink, in a thread."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from dc.http_body import receive_to

SECONDS = 20.0


@asynccontextmanager
async def sockets() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    one, other = socket.socketpair()
    streams = [trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in (one, other)]
    async with streams[0], streams[1]:
        yield streams[0], streams[1]


async def test_bytes_come_whole_whenever_they_come() -> None:
    data = bytes(range(256)) * 40
    got = bytearray()
    async with sockets() as (one, other):

        async def send() -> None:
            for at in range(0, len(data), 7):
                await other.send_all(data[at : at + 7])
            await other.send_eof()

        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                while await receive_to(one, 1 << 20, got.extend):
                    pass
    assert got == data


async def test_what_was_held_comes_first_and_the_end_is_told_apart_from_a_pause() -> None:
    got = bytearray()
    async with sockets() as (one, other):
        with trio.fail_after(SECONDS):
            await other.send_all(b"b")
            assert await receive_to(one, 10, got.extend, b"a") == 1
            with trio.move_on_after(0.01) as scope:
                await receive_to(one, 10, got.extend)
            assert scope.cancelled_caught
            await other.send_all(b"c")
            await other.send_eof()
            assert await receive_to(one, 10, got.extend) == 1
            assert await receive_to(one, 10, got.extend) == 0
    assert got == b"abc"


async def test_a_stream_that_was_closed_here_says_so() -> None:
    async with sockets() as (one, _):
        await one.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await receive_to(one, 10, len)
