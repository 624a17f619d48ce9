"""The HTTP server's side of a connection: slow clients, clients that leave, and any bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from dc import limits_guard, limits_http
from dc.errors import ConnectionLost, ProtocolError
from dc.http import HttpConnection, Request, Response, serve
from tests.http_cases import (
    CASES,
    CHUNKED,
    LENGTH_3,
    NEXT,
    answer,
    app,
    get,
    no_upgrade,
    statuses,
    undated,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def timed(*parts: bytes, handler: Any = app) -> tuple[list[int], float]:
    """Return the statuses and the seconds until the end, for a client that sends and then waits."""
    client, server = memory_stream_pair()
    output = bytearray()
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, handler, no_upgrade)
        for part in parts:
            await client.send_all(part)
            await wait_all_tasks_blocked()
        async for piece in client:
            output += piece
        end = trio.current_time()
        await client.aclose()
    return statuses(output), round(end - start, 6)


async def test_an_idle_connection_is_closed(autojump_clock: Any) -> None:
    assert await timed() == ([], limits_guard.SPEAK_SECONDS)
    assert await timed(NEXT) == ([200], limits_http.KEEP_ALIVE_SECONDS)


@pytest.mark.parametrize("part", [b"G", NEXT[:-1], b"\r\n"])
async def test_a_slow_head_is_refused(autojump_clock: Any, part: bytes) -> None:
    assert await timed(part) == ([408], limits_http.HEAD_SECONDS)


async def test_a_head_that_trickles_is_refused(autojump_clock: Any) -> None:
    client, server = memory_stream_pair()
    start = trio.current_time()

    async def trickle() -> None:
        for byte in NEXT:
            await client.send_all(bytes([byte]))
            await trio.sleep(limits_http.HEAD_SECONDS / 10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, app, no_upgrade)
        nursery.start_soon(trickle)
        assert statuses(await client.receive_some()) == [408]
        assert trio.current_time() - start == pytest.approx(limits_http.HEAD_SECONDS)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("framing", [LENGTH_3, CHUNKED])
async def test_a_body_that_stalls_is_refused(autojump_clock: Any, framing: str) -> None:
    data = get("/echo", framing, method="PUT")
    assert await timed(data) == ([408], limits_http.BODY_IDLE_SECONDS)


async def test_a_body_of_a_byte_a_second_is_refused(autojump_clock: Any) -> None:
    client, server = memory_stream_pair()
    start = trio.current_time()

    async def trickle() -> None:
        await client.send_all(get("/count", "Content-Length: 99999", method="PUT"))
        while True:
            await trio.sleep(1)
            await client.send_all(b"x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, app, no_upgrade)
        nursery.start_soon(trickle)
        assert statuses(await client.receive_some()) == [408]
        assert trio.current_time() - start == pytest.approx(limits_http.PACE_SECONDS, abs=1)
        nursery.cancel_scope.cancel()


async def test_a_body_that_is_slow_but_not_too_slow_is_taken(autojump_clock: Any) -> None:
    client, server = memory_stream_pair()
    each, seconds = 2 * limits_http.PACE_BYTES_PER_SECOND, 2 * int(limits_http.PACE_SECONDS)

    async def trickle() -> None:
        size = each * seconds
        await client.send_all(get("/count", f"Content-Length: {size}", method="PUT"))
        for _ in range(seconds):
            await trio.sleep(1)
            await client.send_all(b"x" * each)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, app, no_upgrade)
        nursery.start_soon(trickle)
        assert statuses(await client.receive_some()) == [200]
        nursery.cancel_scope.cancel()


async def test_a_file_that_is_taken_a_byte_a_second_is_left(
    autojump_clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes something now and then, in less than the time for one piece, is left too."""
    monkeypatch.setattr(limits_http, "FILE_PIECE_BYTES", 50)
    (tmp_path / "file").write_bytes(bytes(10_000))

    async def handler(request: Request) -> Response:
        return Response(200, tmp_path / "file")

    async def a_piece_in_fifty_seconds() -> None:
        await trio.sleep(50)

    client, server = memory_stream_pair()
    await client.send_all(NEXT)
    start = trio.current_time()
    server.send_stream.send_all_hook = a_piece_in_fifty_seconds
    await serve(server, handler, no_upgrade)
    assert trio.current_time() - start < 3 * limits_http.PACE_SECONDS


async def test_an_unread_body_that_stalls_is_given_up_soon(autojump_clock: Any) -> None:
    data = get("/", LENGTH_3, method="PUT")
    assert await timed(data, b"a") == ([200], limits_http.LINGER_SECONDS)


async def test_a_client_that_takes_no_answer_is_left(autojump_clock: Any) -> None:
    client, server = memory_stream_pair()
    server.send_stream.send_all_hook = trio.sleep_forever
    await client.send_all(NEXT)
    start = trio.current_time()
    await serve(server, app, no_upgrade)
    assert trio.current_time() - start == pytest.approx(limits_http.SEND_SECONDS)


async def test_a_client_that_does_not_close_is_left(autojump_clock: Any) -> None:
    client, server = memory_stream_pair()
    await client.send_all(get("/", "Connection: close"))
    start = trio.current_time()
    await serve(server, app, no_upgrade)
    assert trio.current_time() - start == pytest.approx(limits_http.LINGER_SECONDS)


# --- connections that break -----------------------------------------------------------------------


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    raised: list[Exception] = []

    async def handler(request: Request) -> Response:
        try:
            await request.body(100)
        except Exception as error:
            raised.append(error)
            raise
        return Response()

    client, server = memory_stream_pair()
    await client.send_all(get("/", LENGTH_3, method="PUT") + b"a")
    await client.aclose()
    await serve(server, handler, no_upgrade)
    assert [type(error) for error in raised] == [ProtocolError]


async def test_a_client_that_leaves_in_the_middle_of_its_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed: list[bool] = []
    client, server = memory_stream_pair()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            closed.append(True)

    async def handler(request: Request) -> Response:
        return Response(200, endless())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, handler, no_upgrade)
        await client.send_all(NEXT)
        await client.receive_some(1)
        await client.aclose()
    assert closed == [True]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_cancelled_server_closes_the_stream() -> None:
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, app, no_upgrade)
        await client.send_all(get("/echo", LENGTH_3, method="PUT"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert await client.receive_some() == b""


async def test_a_cancelled_answer_closes_the_stream() -> None:
    client, server = memory_stream_pair()
    server.send_stream.send_all_hook = trio.sleep_forever
    await client.send_all(NEXT)
    connection = HttpConnection(server)
    assert await connection.next_request() is not None
    with trio.CancelScope() as scope:
        scope.cancel()
        await connection.respond(Response())
    assert connection.closing
    with pytest.raises(trio.ClosedResourceError):
        await server.receive_some(1)
    assert await connection.next_request() is None


async def test_a_handlers_own_lost_connection_is_its_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: Request) -> Response:
        raise ConnectionLost("to another server")

    assert statuses(await answer(NEXT, handler=handler)) == [500]
    assert "to another server" in caplog.text


# --- any bytes ------------------------------------------------------------------------------------

PARTS = [
    *(case[1] for case in CASES if len(case[1]) < 300),
    *(b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\n", b"Host: x\r\n", b"\r\n\r\n", b"0\r\n\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"PUT /count HTTP/1.1\r\n"),
    *(b"Expect: 100-continue\r\n", b"Upgrade: x\r\n", b"GET /socket HTTP/1.1\r\n", b"\x00", b":"),
]


@given(
    st.lists(st.one_of(st.sampled_from(PARTS), st.binary(max_size=30)), max_size=8),
    st.integers(1, 100),
)
@settings(max_examples=300)
def test_any_bytes_give_an_answer_or_a_close(parts: list[bytes], step: int) -> None:
    """Any bytes give a proper answer or a close, the same for every cut, and nothing raises."""
    logging.disable(logging.CRITICAL)
    try:
        whole = undated(trio.run(answer, b"".join(parts)))
        cut = undated(trio.run(answer, b"".join(parts), step))
    finally:
        logging.disable(logging.NOTSET)
    assert not whole or whole.startswith(b"HTTP/1.1 ")
    if 101 not in statuses(whole):
        assert cut == whole
