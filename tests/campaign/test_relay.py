"""The relay passes everything on, and is as bad as it is told to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.campaign.relay import Relay

DATA = bytes(range(256)) * 4096
QUICK_SECONDS = 0.1


async def echo(stream: trio.SocketStream) -> None:
    with trio.CancelScope():
        try:
            async for piece in stream:
                await stream.send_all(piece)
        except trio.BrokenResourceError:
            pass


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[Relay, trio.SocketStream]]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        relay = await Relay.open(nursery, "127.0.0.1", listener.socket.getsockname()[1])
        stream = await trio.open_tcp_stream("127.0.0.1", relay.port)
        async with stream:
            yield relay, stream
        nursery.cancel_scope.cancel()


async def back(stream: trio.SocketStream, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = await stream.receive_some()
        assert piece, "the relay ended"
        data += piece
    return bytes(data)


async def test_it_passes_everything_on() -> None:
    async with relayed() as (_, stream), trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, DATA)
        assert await back(stream, len(DATA)) == DATA


async def test_a_cut_connection_is_reset() -> None:
    async with relayed() as (relay, stream):
        await stream.send_all(b"x")
        assert await back(stream, 1) == b"x"
        relay.cut()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", relay.port) as again:
            await again.send_all(b"y")
            assert await back(again, 1) == b"y"


async def test_a_frozen_relay_says_nothing_until_it_is_healed() -> None:
    async with relayed() as (relay, stream):
        relay.freeze()
        await stream.send_all(b"x")
        with trio.move_on_after(QUICK_SECONDS) as waited:
            await stream.receive_some()
        assert waited.cancelled_caught
        relay.heal()
        assert await back(stream, 1) == b"x"


async def test_a_late_relay_is_late_and_a_slow_one_slow() -> None:
    async with relayed() as (relay, stream):
        relay.delay = QUICK_SECONDS
        began = trio.current_time()
        await stream.send_all(b"x")
        assert await back(stream, 1) == b"x"
        assert trio.current_time() - began >= 2 * QUICK_SECONDS
        relay.heal()
        relay.rate = 1e6
        began = trio.current_time()
        await stream.send_all(DATA[:200_000])
        assert len(await back(stream, 200_000)) == 200_000
        assert trio.current_time() - began >= QUICK_SECONDS
