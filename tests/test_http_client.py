"""The HTTP client, against the real server's side."""

from __future__ import annotations

import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from dc import limits_http as limits
from dc.errors import HttpError, ProtocolError
from dc.http import Request, Response, Upgrade, serve
from dc.http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MIB = 1024 * 1024


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


async def no_upgrade(upgrade: Upgrade, stream: trio.abc.Stream, behind: bytes) -> None:
    raise AssertionError("no upgrade was asked for")


class Spy(trio.abc.Stream):
    """Passes everything on, and keeps the largest piece that was sent."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.largest = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.largest = max(self.largest, len(data))
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()


class Site:
    """A server for as many connections as the client opens."""

    def __init__(self, nursery: trio.Nursery, handler: Any, pair: Callable[[], Any]) -> None:
        self.nursery, self.handler, self.pair = nursery, handler, pair
        self.opened: list[Spy] = []
        self.servers: list[Spy] = []

    async def open(self) -> Spy:
        client, server = self.pair()
        self.opened.append(Spy(client))
        self.servers.append(Spy(server))
        self.nursery.start_soon(serve, self.servers[-1], self.handler, no_upgrade)
        return self.opened[-1]


@asynccontextmanager
async def site(
    handler: Any, pair: Callable[[], Any] = memory_stream_pair
) -> AsyncIterator[tuple[HttpClient, Site]]:
    async with trio.open_nursery() as nursery:
        place = Site(nursery, handler, pair)
        client = HttpClient(place.open, "x")
        yield client, place
        await client.aclose()


def folder(path: Path) -> Callable[[Request], Any]:
    """Return a handler that gives and takes the files of a folder."""

    async def handler(request: Request) -> Response:
        file = path / request.path[1:]
        if request.method == "GET":
            return Response(200, file)
        with file.open("wb") as sink:
            async for piece in request.stream():
                assert len(piece) <= limits.RECEIVE_BYTES
                sink.write(piece)
        return Response(201)

    return handler


async def talker(request: Request) -> Response:
    match request.path:
        case "/json":
            value = await request.body(100)
            return Response.json({"got": value.decode(), "type": request.headers["content-type"]})
        case "/list":
            return Response.json([1, 2])
        case "/no-json":
            return Response.text(200, "[1,")
        case "/empty":
            return Response(204)
        case "/chunks":
            return Response(200, chunks())
        case "/long":
            return Response(200, b"a" * 600_000)
        case "/bye":
            return Response(headers=[("Connection", "close")])
        case "/refuse":
            raise ProtocolError("not like that", status=413)
        case "/host":
            return Response.text(200, request.headers["host"])
        case _:
            return Response.text(404, f"no {request.path} here")


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"abc"


async def test_one_connection_serves_many_calls() -> None:
    async with site(talker) as (client, place):
        assert await client.get("/host") == b"x"
        assert await client.get_json("/list") == [1, 2]
        assert await client.get("/chunks") == b"abcabcabc"
        assert await client.download_bytes("/long", 600_000) == b"a" * 600_000
        assert await client.get("/empty") == b""
        await client.upload("/empty", b"")
        assert len(place.opened) == 1


async def test_several_tasks_take_turns() -> None:
    results = []
    async with site(talker) as (client, place):

        async def ask() -> None:
            results.append(await client.get("/chunks"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert results == [b"abcabcabc"] * 5
        assert len(place.opened) == 1


async def test_json_is_posted() -> None:
    async with site(talker) as (client, _):
        got = {"got": '{"a":1}', "type": "application/json"}
        assert await client.send_json("POST", "/json", {"a": 1}) == got
        assert await client.send_json("POST", "/empty", None) is None
        with pytest.raises(ProtocolError, match="no JSON"):
            await client.get_json("/no-json")


async def test_a_bad_status_raises_and_keeps_the_connection() -> None:
    async with site(talker) as (client, place):
        for _ in range(2):
            with pytest.raises(HttpError, match="404 no /where here") as caught:
                await client.get("/where")
            assert caught.value.status == 404
        assert len(place.opened) == 1
        with pytest.raises(HttpError, match="not like that"):
            await client.upload("/refuse", b"abc")
        assert await client.get("/host") == b"x"
        assert len(place.opened) == 2


async def test_an_answer_above_the_limit_is_refused() -> None:
    async with site(talker) as (client, place):
        for path in ("/long", "/chunks"):
            with pytest.raises(ProtocolError, match="more than 8 bytes"):
                await client.get(path, 8)
        assert await client.get("/chunks", 9) == b"abcabcabc"
        assert len(place.opened) == 3


async def test_a_server_that_says_close_is_believed() -> None:
    async with site(talker) as (client, place):
        await client.get("/bye")
        await client.get("/bye")
        assert len(place.opened) == 2


# --- files ----------------------------------------------------------------------------------------


async def test_files_go_up_and_down_in_bounded_memory(tmp_path: Path) -> None:
    content = bytes(range(256)) * (5 * MIB // 256) + b"end"
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(content)
    del content
    async with site(folder(tmp_path), lockstep_stream_pair) as (client, place):
        tracemalloc.start()
        try:
            await client.upload("/copy", source)
            assert await client.download("/copy", back) == 5 * MIB + 3
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert place.opened[0].largest == limits.FILE_PIECE_BYTES
        assert place.servers[0].largest == limits.FILE_PIECE_BYTES
        assert len(place.opened) == 1
    assert peak < 3 * MIB
    assert source.read_bytes() == (tmp_path / "copy").read_bytes() == back.read_bytes()
    assert names(tmp_path) == ["back", "copy", "source"]


async def test_bytes_go_up_in_pieces(tmp_path: Path) -> None:
    async with site(folder(tmp_path)) as (client, place):
        for size in (0, 1, limits.FILE_PIECE_BYTES, MIB + 1):
            await client.upload("/copy", b"a" * size)
            assert (tmp_path / "copy").read_bytes() == b"a" * size
        assert place.opened[0].largest < limits.FILE_PIECE_BYTES + 1000


async def test_headers_go_with_an_upload() -> None:
    async def handler(request: Request) -> Response:
        return Response.text(400, request.headers["digest"])

    async with site(handler) as (client, _):
        with pytest.raises(HttpError, match="400 abc"):
            await client.upload("/", b"", [("Digest", "abc")])


async def test_a_missing_file_leaves_nothing(tmp_path: Path) -> None:
    async with site(folder(tmp_path)) as (client, _):
        with pytest.raises(HttpError):
            await client.download("/where", tmp_path / "back")
        with pytest.raises(FileNotFoundError):
            await client.upload("/copy", tmp_path / "where")
        (tmp_path / "there").write_bytes(b"x")
        with pytest.raises(FileNotFoundError):
            await client.download("/there", tmp_path / "no folder" / "back")
        assert names(tmp_path) == ["there"]


async def test_an_upload_on_a_stale_connection_is_sent_whole_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * 300_000)
    async with site(folder(tmp_path)) as (client, place):
        await client.upload("/copy", b"")
        await place.servers[0].aclose()
        await client.upload("/copy", source)
        assert len(place.opened) == 2
    assert (tmp_path / "copy").read_bytes() == b"a" * 300_000


async def test_a_cancelled_download_leaves_no_file(tmp_path: Path) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"abc"
        await trio.sleep_forever()

    async def handler(request: Request) -> Response:
        return Response(200, stuck())

    async with site(handler) as (client, place):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.download, "/", tmp_path / "file")
            while names(tmp_path) != ["file.part"]:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert names(tmp_path) == []
        place.nursery.cancel_scope.cancel()


async def test_headers_of_all_requests_may_change(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def handler(request: Request) -> Response:
        seen.append(request.headers.get("authorization"))
        return Response(200, b"{}")

    async with trio.open_nursery() as nursery:
        place = Site(nursery, handler, memory_stream_pair)
        headers: list[tuple[str, str]] = []
        client = HttpClient(place.open, "x", headers)
        await client.get("/")
        headers.append(("Authorization", "Bearer one"))
        await client.get("/")
        await client.send_json("POST", "/", {})
        headers[:] = []
        await client.upload("/", b"x")
        await client.aclose()
    assert seen == [None, "Bearer one", "Bearer one", None]
