"""The HTTP server's side of a connection: what a request gets for an answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import memory_stream_pair

from dc import limits_http as limits
from dc.errors import ProtocolError
from dc.http import Request, Response, Upgrade, serve
from tests.http_cases import (
    CASES,
    CHUNKED,
    LENGTH_3,
    NEXT,
    FakeStream,
    answer,
    app,
    get,
    no_upgrade,
    statuses,
    undated,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
async def test_case(case: tuple[str, bytes, int, bool]) -> None:
    name, data, status, goes_on = case
    whole = await answer(data)
    assert statuses(whole) == [status]
    assert (b"Connection: close" in whole) == (not goes_on)
    step = 1 if len(data) < 2000 else 997
    assert undated(await answer(data, step)) == undated(whole)
    if not name.startswith("broken off"):
        expected = [status, 200] if goes_on else [status]
        assert statuses(await answer(data + NEXT)) == expected
        assert statuses(await answer(data + NEXT, step)) == expected


async def test_the_last_chunk_of_an_unread_body_is_checked_too() -> None:
    output = await answer(get("/", CHUNKED, method="PUT") + b"0\r\n\n" + NEXT)
    assert statuses(output) == [200]
    assert b"Connection: close" in output


async def test_a_plain_answer_is_whole() -> None:
    output = undated(await answer(get("/")))
    assert output == (
        b"HTTP/1.1 200 OK\r\nServer: dc\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 6\r\n\r\nGET /\n"
    )


async def test_every_answer_has_a_date() -> None:
    output = await answer(get("/"))
    assert re.search(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", output)


@pytest.mark.parametrize("path", ["/", "/chunks", "/where"])
async def test_head_gives_the_head_of_get(path: str) -> None:
    whole = undated(await answer(get(path)))
    alone = undated(await answer(get(path, method="HEAD")))
    if path == "/":  # its text names the method
        whole = whole.replace(b"Content-Length: 6", b"Content-Length: 7")
    assert alone == whole[: whole.index(b"\r\n\r\n") + 4]


async def test_a_refused_head_request_has_no_body() -> None:
    output = await answer(get("/", "Expect: more", method="HEAD"))
    assert statuses(output) == [417]
    assert output.endswith(b"\r\n\r\n")


async def test_an_error_text_names_no_secret_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = await answer(get("/fail"))
    assert b"secret" not in output
    assert "a secret" in caplog.text


async def test_chunks_go_out_as_chunks() -> None:
    output = await answer(get("/chunks"))
    assert b"Transfer-Encoding: chunked" in output
    assert output.endswith(b"\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_chunks_for_http_1_0_go_out_until_the_end() -> None:
    output = await answer(b"GET /chunks HTTP/1.0\r\n\r\n")
    assert b"chunked" not in output
    assert output.endswith(b"\r\n\r\none two")


async def test_an_iterable_that_fails_leaves_the_answer_broken_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = await answer(get("/broken") + NEXT)
    assert statuses(output) == [200]
    assert output.endswith(b"4\r\none \r\n")
    assert "no more" in caplog.text


async def test_not_allowed_names_the_methods() -> None:
    assert b"Allow: GET, HEAD\r\n" in await answer(get("/read", method="POST"))


async def test_many_requests_may_come_at_once() -> None:
    assert statuses(await answer(NEXT * 50)) == [200] * 50
    assert statuses(await answer(NEXT * 5, 1)) == [200] * 5


async def test_a_request_has_its_fields() -> None:
    seen: list[Request] = []

    async def keep(request: Request) -> Response:
        seen.append(request)
        return Response()

    await answer(get("/a%20b?x=1", "A: 1", "a: 2", LENGTH_3, method="POST") + b"abc", handler=keep)
    await answer(get("/", CHUNKED, method="POST") + b"0\r\n\r\n", handler=keep)
    await answer(get("http://other:1/"), handler=keep)
    first, second, third = seen
    assert (first.method, first.target, first.path) == ("POST", "/a%20b?x=1", "/a b")
    assert first.query == {"x": "1"}
    assert first.headers == {"host": "x", "a": "1, 2", "content-length": "3"}
    assert (first.content_length, second.content_length, third.content_length) == (3, None, 0)
    assert third.headers["host"] == "other:1"


async def test_the_body_of_an_answered_request_is_gone() -> None:
    seen: list[Request] = []

    async def keep(request: Request) -> Response:
        if seen:
            await seen[0].body(10)
        seen.append(request)
        return Response()

    data = get("/", LENGTH_3, method="PUT") + b"abc"
    assert statuses(await answer(data + data, handler=keep)) == [200, 500]


# --- files ----------------------------------------------------------------------------------------


def file_app(path: Path) -> Callable[[Request], Any]:
    async def handler(request: Request) -> Response:
        return Response(200, path, "application/octet-stream", [("ETag", '"1"')])

    return handler


@pytest.mark.parametrize(
    ("headers", "status", "body", "span"),
    [
        ([], 200, b"0123456789", None),
        (["Range: bytes=2-4"], 206, b"234", b"bytes 2-4/10"),
        (["Range: bytes=-1"], 206, b"9", b"bytes 9-9/10"),
        (["Range: bytes=10-"], 416, b"", b"bytes */10"),
        (["Range: bytes=1-2,4-5"], 200, b"0123456789", None),
        (["Range: bytes=2-4", 'If-Range: "0"'], 200, b"0123456789", None),
    ],
)
async def test_a_file_and_its_ranges(
    tmp_path: Path, headers: list[str], status: int, body: bytes, span: bytes | None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    output = await answer(get("/", *headers) + get("/"), handler=file_app(path))
    first, _, rest = output.partition(b"\r\n\r\n")
    assert statuses(output) == [status, 200]
    assert b"Accept-Ranges: bytes" in first
    assert f"Content-Length: {len(body)}".encode() in first
    assert (b"Content-Range: " + span in first) if span else (b"Content-Range" not in first)
    assert rest.startswith(body + b"HTTP/1.1 200")


async def test_the_head_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    data = get("/", "Range: bytes=2-4", method="HEAD")
    output = await answer(data, handler=file_app(path))
    assert statuses(output) == [200]
    assert b"Content-Length: 10" in output
    assert output.endswith(b"\r\n\r\n")


async def test_an_empty_and_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert statuses(await answer(get("/") + get("/"), handler=file_app(path))) == [404, 404]
    path.touch()
    output = await answer(get("/"), handler=file_app(path))
    assert statuses(output) == [200]
    assert output.endswith(b"\r\n\r\n")
    assert statuses(await answer(get("/"), handler=file_app(tmp_path))) == [500]


async def test_a_large_file_goes_out_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 4096
    path.write_bytes(content + b"end")
    sizes: list[int] = []

    class Spy(FakeStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            sizes.append(len(data))
            await super().send_all(data)

    stream = Spy(get("/"), 1000)
    await serve(stream, file_app(path), no_upgrade)
    assert stream.sent.endswith(b"\r\n\r\n" + content + b"end")
    assert max(sizes) == limits.FILE_PIECE_BYTES


# --- Expect, bodies that nobody reads, upgrades ---------------------------------------------------


async def test_a_body_is_asked_for_when_it_is_read() -> None:
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, app, no_upgrade)
        await client.send_all(get("/echo", LENGTH_3, "Expect: 100-continue", method="PUT"))
        assert await client.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send_all(b"abc")
        assert (await client.receive_some()).endswith(b"\r\n\r\nabc")
        await client.aclose()


async def test_a_body_that_is_not_wanted_is_not_asked_for() -> None:
    for target, status in (("/where", 404), ("/echo", 413)):
        data = get(target, "Content-Length: 11", "Expect: 100-continue", method="PUT")
        output = await answer(data + NEXT)
        assert statuses(output) == [status]
        assert b"Connection: close" in output


async def test_a_body_that_is_sent_anyway_is_not_asked_for() -> None:
    data = get("/echo", LENGTH_3, "Expect: 100-continue", method="PUT")
    assert statuses(await answer(data + b"abc" + NEXT)) == [200, 200]


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(("size", "goes_on"), [(60_000, True), (200_000, False)])
async def test_a_short_unread_body_is_skipped(framing: str, size: int, goes_on: bool) -> None:
    if framing == "length":
        data = get("/", f"Content-Length: {size}", method="PUT") + b"a" * size
    else:
        chunk = b"%x\r\n" % 1000 + b"a" * 1000 + b"\r\n"
        data = get("/", CHUNKED, method="PUT") + chunk * (size // 1000) + b"0\r\n\r\n"
    output = await answer(data + NEXT)
    assert statuses(output) == ([200, 200] if goes_on else [200])
    assert (b"Connection: close" in output) == (not goes_on)


async def test_an_upgrade_hands_over_what_came_behind() -> None:
    data = get("/socket", "Upgrade: x", "Connection: Upgrade")
    for step in (1000, 1):
        output = await answer(data + b"frames", step)
        assert statuses(output) == [101]
        behind = b"frames" if step == 1000 else b""
        assert output.endswith(b"Connection: Upgrade\r\n\r\nupgraded " + behind)


async def test_an_upgrade_needs_one_to_be_asked_for() -> None:
    assert statuses(await answer(get("/socket") + NEXT)) == [400]
    body = get("/socket", "Upgrade: x", LENGTH_3, method="PUT") + b"abc"
    assert statuses(await answer(body)) == [400]


async def test_an_upgrade_asked_for_in_vain_is_a_request() -> None:
    assert statuses(await answer(get("/", "Upgrade: h2c") + NEXT)) == [200, 200]


async def test_an_upgraded_connection_that_fails_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(upgrade: Upgrade, stream: trio.abc.Stream, behind: bytes) -> None:
        raise ProtocolError(f"{upgrade.state} lost")

    stream = FakeStream(get("/socket", "Upgrade: x"), 1000)
    await serve(stream, app, fail)
    assert statuses(stream.sent) == [101]
    assert "state lost" in caplog.text
