"""One accepted connection: whatever comes of it, the server goes on, and the socket is closed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import trio

from dc.server.__main__ import _serve_one
from dc.server.site import Site
from dc.sockets import Buffer


class Mistake(Exception):
    """What no code raises on purpose."""


class PlayedSite:
    """A site that does what a test says."""

    def __init__(self, do: Callable[[], Awaitable[None]]) -> None:
        self._do = do

    async def serve_stream(self, stream: Any, address: str) -> None:
        assert address.startswith("127.0.0.1:")
        await self._do()


async def serve(do: Callable[[], Awaitable[None]]) -> bytes:
    """Serve one connection so; return what its client then receives."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        async with client:
            site = cast("Site", PlayedSite(do))
            await _serve_one(site, Buffer(), await listener.accept())
            with trio.fail_after(60):
                return bytes(await client.receive_some())


async def fail(error: Exception) -> None:
    raise error


async def fail_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, Mistake("one"))
        nursery.start_soon(fail, OSError("two"))


@pytest.mark.parametrize(
    ("do", "lines"),
    [
        (lambda: fail(OSError("gone")), ["a connection was given up: gone"]),
        (lambda: fail(Mistake()), ["a connection was given up"]),
        (fail_in_a_nursery, ["a connection was given up: two", "a connection was given up"]),
    ],
)
async def test_an_error_ends_the_one_connection(
    do: Callable[[], Awaitable[None]], lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert await serve(do) == b""
    assert [record.getMessage() for record in caplog.records] == lines
    told = [record.exc_info is not None for record in caplog.records]
    assert told == [record.levelno == logging.ERROR for record in caplog.records]


async def test_being_cancelled_is_no_error_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def wait_and_fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Mistake

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_and_fail)
            nursery.start_soon(trio.sleep_forever)

    with trio.CancelScope() as scope:
        scope.cancel()
        await serve_cancelled(both)
        raise AssertionError("it did not go on to be cancelled")
    assert scope.cancelled_caught
    assert [record.getMessage() for record in caplog.records] == ["a connection was given up"]


async def serve_cancelled(do: Callable[[], Awaitable[None]]) -> None:
    """Serve one connection in a scope that is cancelled already."""
    with trio.CancelScope(shield=True) as shield:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        accepted = await listener.accept()
        try:
            shield.shield = False
            await _serve_one(cast("Site", PlayedSite(do)), Buffer(), accepted)
        finally:
            shield.shield = True
            await client.aclose()
            await listener.aclose()
