"""What executors ask of the server passes through the agent; what else is asked does not."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from dc.errors import WrongServer
from dc.plain_get import Answer
from dc.worker.relay import SOCKET, Relay

RESULT = "/jobs/3/tasks/4/result"


class Server:
    """A server that notes what it is asked, and gives one answer."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.error: Exception | None = None
        self.access = [("Authorization", "Bearer one")]

    async def open(self) -> trio.abc.Stream:
        if self.error is not None:
            raise self.error
        ours, theirs = trio.testing.memory_stream_pair()
        trio.lowlevel.spawn_system_task(self._serve, theirs)
        return ours

    async def _serve(self, stream: trio.abc.Stream) -> None:
        self.asked.append(bytes(await stream.receive_some(10_000)))
        await stream.send_all(self.answer)
        await stream.aclose()


def plain(data: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


@asynccontextmanager
async def relaying(server: Server, scratch: Path, *, unix: bool = True) -> AsyncIterator[str]:
    relay = Relay(server.open, "desk:8220", server.access, unix=unix)
    with relay.listening(scratch, needed=True) as address:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay.run)
            yield address
            nursery.cancel_scope.cancel()


def get(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    with Answer(
        address, path, {name.replace("_", "-"): v for name, v in headers.items()}
    ) as answer:
        return answer.status, answer.read(10_000_000)


def is_there(path: Path) -> bool:
    return path.exists()


async def test_the_socket_is_given_to_who_asks(tmp_path: Path) -> None:
    given: list[Path] = []
    server = Server(b"")
    relay = Relay(server.open, "desk:8220", server.access)
    with relay.listening(tmp_path, needed=True, give=given.append) as address:
        sock, other = given  # in this order: in a folder of its own it could put a link there
        assert address == f"unix:{sock}"
        assert (sock.name, sock.parent) == (SOCKET, tmp_path)
        assert stat.S_IMODE(sock.stat().st_mode) == 0o600
        assert stat.S_IMODE(other.stat().st_mode) == 0o700


@pytest.mark.parametrize("unix", [True, False])
async def test_a_result_passes_through_with_what_lets_in(tmp_path: Path, unix: bool) -> None:
    data = bytes(1_000_000)
    server = Server(plain(data))
    async with relaying(server, tmp_path, unix=unix) as address:
        assert address.startswith("unix:" if unix else "http://:")
        got = await trio.to_thread.run_sync(lambda: get(address, RESULT, Range="bytes=5-"))
        assert got == (200, data)
        server.access[:] = [("Authorization", "Bearer two")]
        server.answer = plain(b"no", "404 Not Found")
        got = await trio.to_thread.run_sync(get, address, "/api/jobs/3")
        assert got == (404, b"no")
    assert server.asked == [
        f"GET {RESULT} HTTP/1.1\r\nHost: desk:8220\r\nConnection: close\r\n"
        "Authorization: Bearer one\r\nrange: bytes=5-\r\n\r\n".encode(),
        b"GET /api/jobs/3 HTTP/1.1\r\nHost: desk:8220\r\nConnection: close\r\n"
        b"Authorization: Bearer two\r\n\r\n",
    ]


@pytest.mark.parametrize(
    "path",
    ["/", "/api/jobs", "/api/tokens", "/api/jobs/3/tasks", "/jobs/3/tasks/4/payload", "/socket",
     "/api/jobs/../tokens", "/api/jobs/3?x=1", "/api/jobs/99999999999", "/metrics"],
)  # fmt: skip
async def test_nothing_else_does(tmp_path: Path, path: str) -> None:
    server = Server(plain(b"secret"))
    async with relaying(server, tmp_path) as address:
        status, _ = await trio.to_thread.run_sync(get, address, path)
    assert status == 403
    assert server.asked == []


async def test_what_a_task_would_add_is_left_out(tmp_path: Path) -> None:
    server = Server(plain(b""))
    async with relaying(server, tmp_path) as address:
        get_it = lambda: get(address, RESULT, X_Other="y", Cookie="z", If_Range='"q"')  # noqa: E731
        assert (await trio.to_thread.run_sync(get_it))[0] == 200
    assert server.asked[0].count(b"\r\n") == 6
    assert b'if-range: "q"\r\n' in server.asked[0]


@pytest.mark.parametrize("said", ["bytes=0-\nX: y", "bytes=0-\rX", "a\n\nGET / HTTP/1.1", "\0"])
async def test_a_header_that_would_be_two(said: str, tmp_path: Path) -> None:
    """Behind it stands what lets in: a task adds nothing to that."""
    server = Server(plain(b"x"))
    async with relaying(server, tmp_path) as address:
        stream = await trio.open_unix_socket(address.removeprefix("unix:"))
        async with stream:
            await stream.send_all(f"GET {RESULT} HTTP/1.1\r\nRange: {said}\r\n\r\n".encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 403 ")
    assert server.asked == []


async def test_without_a_unix_socket_the_word_lets_in(tmp_path: Path) -> None:
    server = Server(plain(b"secret"))
    async with relaying(server, tmp_path, unix=False) as address:
        open_one = "http://" + address.rpartition("@")[2]
        wrong = address.replace("http://:", "http://:x")
        for other in (open_one, wrong):
            assert (await trio.to_thread.run_sync(get, other, RESULT))[0] == 403
        assert (await trio.to_thread.run_sync(get, address, RESULT))[0] == 200


@pytest.mark.parametrize("error", [OSError("down"), WrongServer("another key")])
async def test_a_server_that_cannot_be_reached(tmp_path: Path, error: Exception) -> None:
    server = Server(b"")
    server.error = error
    async with relaying(server, tmp_path) as address:
        assert await trio.to_thread.run_sync(get, address, RESULT) == (502, str(error).encode())


async def test_an_answer_that_is_cut_is_no_answer(tmp_path: Path) -> None:
    server = Server(plain(b"half of it")[:-3])
    async with relaying(server, tmp_path) as address:
        with pytest.raises(ConnectionError):
            await trio.to_thread.run_sync(get, address, RESULT)


async def test_its_socket_is_this_users_and_goes(tmp_path: Path) -> None:
    server = Server(plain(b""))
    (tmp_path / SOCKET).write_bytes(b"left by one that was killed")
    async with relaying(server, tmp_path):
        assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
    long = tmp_path / ("x" * 100)
    long.mkdir()
    async with relaying(server, long) as address:
        place = Path(address.removeprefix("unix:"))
        assert is_there(place)
        assert not place.is_relative_to(tmp_path)
    assert not is_there(place.parent)


async def test_where_it_is_not_needed_nobody_listens(tmp_path: Path) -> None:
    relay = Relay(Server(b"").open, "desk", [])
    with relay.listening(tmp_path, needed=False) as address:
        assert address == ""
        await relay.run()
