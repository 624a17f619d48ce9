"""TCP streams with a shared buffer keep what a Trio stream promises."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from dc import limits_http as limits
from dc.sockets import Buffer, TcpStream


@pytest.fixture(name="pair")
def make_pair() -> tuple[TcpStream, TcpStream]:
    buffer = Buffer()
    left, right = socket.socketpair()
    return TcpStream(left, buffer), TcpStream(right, buffer)


Pair = tuple[TcpStream, TcpStream]


async def close(pair: Pair) -> None:
    for stream in pair:
        await stream.aclose()


async def test_what_is_sent_comes_whole_and_in_order(pair: Pair) -> None:
    sent = bytes(range(256)) * 20_000  # far above what the system keeps for a socket
    got = bytearray()

    async def receive() -> None:
        while piece := await pair[1].receive_some(limits.RECEIVE_BYTES):
            got.extend(piece)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await pair[0].send_all(memoryview(sent))
            await pair[0].send_all(b"")
            await pair[0].send_all(b"end")
            await pair[0].send_eof()
            await pair[0].send_eof()
    assert got == sent + b"end"
    with pytest.raises(trio.ClosedResourceError):
        await pair[0].send_all(b"more")
    await pair[1].send_all(b"still open")
    assert await pair[0].receive_some() == b"still open"
    await close(pair)


async def test_connections_that_share_a_buffer_do_not_mix(pair: Pair) -> None:
    await pair[0].send_all(b"to the right")
    await pair[1].send_all(b"to the left")
    got: list[bytes] = []

    async def receive(stream: TcpStream) -> None:
        got.append(await stream.receive_some(100))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive, pair[0])
        nursery.start_soon(receive, pair[1])
    assert sorted(got) == [b"to the left", b"to the right"]
    await pair[0].send_all(b"123456")
    assert [await pair[1].receive_some(4), await pair[1].receive_some(4)] == [b"1234", b"56"]
    await close(pair)


async def test_who_waits_is_told_that_it_was_closed(pair: Pair) -> None:
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await pair[0].receive_some()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await pair[0].aclose()
    await pair[0].aclose()
    with pytest.raises(trio.ClosedResourceError):
        await pair[0].receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await pair[0].send_all(b"x")
    assert await pair[1].receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await pair[1].send_all(b"x")
    await close(pair)


async def test_a_cancelled_call_neither_sends_nor_takes(pair: Pair) -> None:
    await pair[0].send_all(b"kept")
    with trio.CancelScope() as scope:
        scope.cancel()
        await pair[1].receive_some()
    assert scope.cancelled_caught
    with trio.CancelScope() as scope:
        scope.cancel()
        await pair[0].send_all(b"never sent")
    assert scope.cancelled_caught
    assert await pair[1].receive_some() == b"kept"
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair[1].receive_some)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    await pair[0].send_all(b"later")
    assert await pair[1].receive_some() == b"later"
    await close(pair)


async def test_it_takes_over_the_connection_of_a_trio_stream() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        theirs = await trio.testing.open_stream_to_socket_listener(listener)
        accepted = await listener.accept()
        ours = TcpStream.of(accepted, Buffer())
        await accepted.aclose()
        await theirs.send_all(b"hello")
        assert await ours.receive_some() == b"hello"
        await ours.aclose()
        assert await theirs.receive_some() == b""
        await theirs.aclose()
