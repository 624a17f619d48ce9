"""The HTTP client, against servers that break the rules or the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from dc.errors import ConnectionLost, DcError, HttpError, ProtocolError
from dc.http_client import HttpClient

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


class Script:
    """Answers the first request of each connection with given bytes, None for nothing, and ends
    it; at once, or, if it `stays`, when a second request has come."""

    def __init__(self, nursery: trio.Nursery, *answers: bytes | None, stays: bool = False) -> None:
        self.stays = stays
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
            if self.stays and answer:
                self.asked.append(bytes(await stream.receive_some()))
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


async def test_a_post_is_never_made_twice() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, OK, b"", OK, stays=True)
        client = HttpClient(script.open, "x")
        assert await client.get("/1") == b"ok"
        with pytest.raises(ConnectionLost):
            await client.send_json("POST", "/2", 1)
        assert [line[:6] for line in script.asked if line] == [b"GET /1", b"POST /"]


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
        script = Script(nursery, OK + OK.replace(b"ok", b"no"), OK, stays=True)
        client = HttpClient(script.open, "x")
        assert await client.get("/") == b"ok"
        assert await client.get("/") == b"ok"
        await client.aclose()


async def test_interim_answers_are_passed_over() -> None:
    async with trio.open_nursery() as nursery:
        script = Script(nursery, b"HTTP/1.1 103 Early\r\n\r\n" + OK)
        assert await HttpClient(script.open, "x").get("/") == b"ok"


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


@pytest.mark.parametrize("answers", [[None], [OK, None]])
async def test_closing_ends_an_exchange(answers: list[bytes | None]) -> None:
    async with trio.open_nursery() as nursery:
        client, place = memory_stream_pair()
        opened = [client]

        async def open_stream() -> trio.abc.Stream:
            return opened.pop()

        async def ask() -> None:
            with pytest.raises(ConnectionLost):
                await http.get("/")

        http = HttpClient(open_stream, "x")
        if answers[0] is not None:
            await place.send_all(answers[0])
            assert await http.get("/") == b"ok"
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        opened.append(memory_stream_pair()[0])
        await http.aclose()
    assert len(opened) == 1
