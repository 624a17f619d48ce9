"""The HTTP client, against the real server's side and against fakes that misbehave."""

from __future__ import annotations

import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from dc import limits
from dc.errors import ConnectionLost, DcError, HttpError, ProtocolError
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
            return Response(200, b"bye", headers=[("Connection", "close")])
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
        answer = await client.post_json("/json", {"a": 1})
        assert answer == {"got": '{"a":1}', "type": "application/json"}
        assert await client.post_json("/empty", None) is None
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
        assert await client.get("/bye") == b"bye"
        assert await client.get("/bye") == b"bye"
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


# --- servers that break the rules or the connection -----------------------------------------------


class Script:
    """A server that answers each connection with given bytes once something has come, then ends.

    None keeps the connection open and silent.
    """

    def __init__(self, nursery: trio.Nursery, *answers: bytes | None) -> None:
        self.nursery, self.answers = nursery, list(answers)
        self.asked: list[bytes] = []

    async def open(self) -> trio.abc.Stream:
        client, server = memory_stream_pair()
        self.nursery.start_soon(self.answer, server, self.answers.pop(0))
        return client

    async def answer(self, stream: trio.abc.Stream, answer: bytes | None) -> None:
        self.asked.append(bytes(await stream.receive_some()))
        if answer is None:
            await trio.sleep_forever()
        else:
            await stream.send_all(answer)
            await wait_all_tasks_blocked()
            await stream.aclose()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_stale_connection_is_opened_again_once() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, OK, OK)
        client = HttpClient(script.open, "x")
        assert await client.get("/1") == b"ok"
        await wait_all_tasks_blocked()
        assert await client.get("/2") == b"ok"
        assert [line.split(b" ")[1] for line in script.asked] == [b"/1", b"/2"]


async def test_a_connection_that_is_stale_twice_is_lost() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, OK, b"", OK)
        client = HttpClient(script.open, "x")
        assert await client.get("/1") == b"ok"
        await wait_all_tasks_blocked()
        with pytest.raises(ConnectionLost):
            await client.get("/2")
        assert await client.get("/3") == b"ok"


async def test_an_upload_on_a_stale_connection_is_sent_whole_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * 300_000)
    async with site(folder(tmp_path)) as (client, place):
        await client.upload("/copy", b"")
        await place.servers[0].aclose()
        await client.upload("/copy", source)
        assert len(place.opened) == 2
    assert (tmp_path / "copy").read_bytes() == b"a" * 300_000


async def test_a_post_is_never_made_twice() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, OK, b"", OK)
        client = HttpClient(script.open, "x")
        assert await client.get("/1") == b"ok"
        with pytest.raises(ConnectionLost):
            await client.post_json("/2", 1)
        assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionLost),
        (b"HTTP/1.1 200", ConnectionLost),
        (OK[:-1], ConnectionLost),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ConnectionLost),
        (b"\x00\x01", ProtocolError),
        (b"SSH-2.0\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 101 OK\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, ProtocolError),
        (b"HTTP/1.1 404 \r\nContent-Length: 9\r\n\r\nabc", HttpError),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", HttpError),
    ],
)
async def test_a_bad_answer_is_a_named_error(
    answer: bytes, error: type[DcError], tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, answer, answer, OK)
        client = HttpClient(script.open, "x")
        with pytest.raises(error):
            await client.get("/")
        with pytest.raises(error):
            await client.download("/", tmp_path / "file")
        assert names(tmp_path) == []
        assert await client.get("/") == b"ok"


async def test_a_download_of_unknown_length_is_refused(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, b"HTTP/1.0 200 OK\r\n\r\nhalf", b"HTTP/1.0 200 OK\r\n\r\nall")
        client = HttpClient(script.open, "x")
        with pytest.raises(ProtocolError, match="no length"):
            await client.download("/", tmp_path / "file")
        assert names(tmp_path) == []
        assert await client.get("/") == b"all"


async def test_bytes_behind_an_answer_end_the_connection() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, OK + b"HTTP/1.1 200 OK\r\n", OK)
        client = HttpClient(script.open, "x")
        assert await client.get("/") == b"ok"
        assert await client.get("/") == b"ok"
        assert len(script.asked) == 2


async def test_interim_answers_are_passed_over() -> None:
    async with trio.open_nursery() as nursery:
        client = HttpClient(Script(nursery, b"HTTP/1.1 103 Early\r\n\r\n" + OK).open, "x")
        assert await client.get("/") == b"ok"


async def test_a_refusal_in_the_middle_of_an_upload_is_read() -> None:
    client_end, server_end = memory_stream_pair()
    refusal = b"HTTP/1.1 413 \r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much"

    async def refuse() -> None:
        await server_end.receive_some()
        await server_end.send_all(refusal)
        await server_end.aclose()

    async def open_stream() -> trio.abc.Stream:
        return client_end

    deliver = client_end.send_stream.send_all_hook
    assert deliver is not None

    async def deliver_and_wait() -> None:
        await deliver()
        await wait_all_tasks_blocked()

    client_end.send_stream.send_all_hook = deliver_and_wait
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(HttpError, match="413 too much"):
            await HttpClient(open_stream, "x").upload("/", b"a" * MIB)


async def test_a_server_that_is_not_there() -> None:
    async def open_stream() -> trio.abc.Stream:
        raise OSError("refused")

    with pytest.raises(ConnectionLost, match="cannot connect to x: refused"):
        await HttpClient(open_stream, "x").get("/")


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_a_cancelled_exchange_drops_the_connection() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, None, OK)
        client = HttpClient(script.open, "x")
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_when_blocked, scope)
            await client.get("/1")
        assert await client.get("/2") == b"ok"
        nursery.cancel_scope.cancel()


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


async def test_closing_ends_an_exchange() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, None)
        client = HttpClient(script.open, "x")

        async def ask() -> None:
            with pytest.raises(ConnectionLost):
                await client.get("/")

        async with trio.open_nursery() as inner:
            inner.start_soon(ask)
            await wait_all_tasks_blocked()
            await client.aclose()
        nursery.cancel_scope.cancel()
