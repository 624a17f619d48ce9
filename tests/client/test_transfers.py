"""Large bytes on their way between a client and a server, and what can go wrong there."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from dc import http
from dc import limits_client as limits
from dc.client.connector import Connector
from dc.dial import Server
from dc.errors import BlobMismatch, DcError
from dc.http import Request, Response, Upgrade
from dc.server.problems import problem_of

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def no_upgrade(*_: object) -> None:
    raise AssertionError


async def put_to(answers: list[Response]) -> tuple[list[bytes], float]:
    """Put a blob to a server that gives these answers; return what it got, and how long it took."""
    got: list[bytes] = []

    async def handle(request: Request) -> Response | Upgrade:
        if request.method == "HEAD":  # whether it is there
            return Response(404)
        got.append(await request.body(100))
        return answers.pop(0)

    begin = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def open_stream() -> trio.abc.Stream:
            near, far = trio.testing.memory_stream_pair()
            nursery.start_soon(http.serve, far, handle, no_upgrade)
            return near

        connector = Connector(Server("server", 8220), nursery, open_stream)
        try:
            await connector.transfers.put(b"bytes")
        finally:
            nursery.cancel_scope.cancel()
    return got, trio.current_time() - begin


async def test_a_full_disk_is_waited_for() -> None:
    full = [problem_of("store_full", 507, "", "it is full") for _ in range(20)]
    got, took = await put_to([*full, Response.text(503, "later"), Response.text(201, "stored")])
    assert got == [b"bytes"] * 22
    assert took == pytest.approx(21 * limits.PUT_RETRY_SECONDS)


async def test_what_is_wrong_is_not_tried_again() -> None:
    wrong = problem_of("blob_mismatch", 400, "", "other bytes")
    with pytest.RaisesGroup(pytest.RaisesExc(BlobMismatch, match="other bytes")):
        await put_to([wrong])


async def test_what_a_quota_refuses_is_not_tried_again() -> None:
    """It may come with the status of a full disk."""
    for status in (413, 507):
        over = problem_of("quota", status, "", "ann has 5 of 5 GB")
        with pytest.RaisesGroup(pytest.RaisesExc(DcError, match="ann has 5 of 5 GB")):
            await put_to([over])


async def test_what_ends_after_the_client_leaves_no_connection_open() -> None:
    asked, answers = trio.Event(), trio.Event()
    streams: list[trio.abc.Stream] = []

    async def handle(_: Request) -> Response | Upgrade:
        asked.set()
        await answers.wait()
        return Response(200, b"x", etag="0" * 64)

    async with trio.open_nursery() as nursery:

        async def open_stream() -> trio.abc.Stream:
            near, far = trio.testing.memory_stream_pair()
            nursery.start_soon(http.serve, far, handle, no_upgrade)
            streams.append(near)
            return near

        connector = Connector(Server("server", 8220), nursery, open_stream)
        async with trio.open_nursery() as inner:
            inner.start_soon(connector.transfers.look, "/blobs/x")
            await asked.wait()
            await connector.transfers.aclose()
            answers.set()
        (stream,) = streams
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
        nursery.cancel_scope.cancel()
