"""An X server that is a few bytes, asked when somebody was last there."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dc import limits_neighbour as limits
from dc.worker.x11_idle import COOKIE, EXTENSION, X11Idle

ROOT_WINDOW = 0x1234
MAJOR = 144


def greeting(status: int = 1, vendor: bytes = b"The Maker") -> bytes:
    head = struct.pack("<IIII", 1, 2, 3, 256) + struct.pack("<HH", len(vendor), 65535)
    head += bytes([1, 2]) + bytes(10)
    body = head + vendor + bytes(-len(vendor) % 4) + bytes(16) + struct.pack("<I", ROOT_WINDOW)
    body += bytes(36)
    return struct.pack("<B5xH", status, len(body) // 4) + body


def reply(data: bytes, kind: int = 1) -> bytes:
    return (struct.pack("<BBHI", kind, 0, 1, 0) + data).ljust(32, b"\0")


class Server(threading.Thread):
    """Answers as it was told, and writes down what it was asked."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.answers = answers
        self.asked: list[bytes] = []
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(10)

    def run(self) -> None:
        with self.ours:
            for answer in self.answers:
                data = self.ours.recv(4096)
                if not data:
                    return
                self.asked.append(data)
                self.ours.sendall(answer)


def told(ms: int) -> bytes:
    return reply(struct.pack("<III", 1, 2, ms))


HAS_IT = reply(bytes([1, MAJOR]))


class World:
    """An X server for each time that somebody connects."""

    def __init__(self, *servers: list[bytes], cookie: Path | None = None) -> None:
        self.servers = [Server(answers) for answers in servers]
        self.displays: list[str] = []
        self.now = 0.0
        environment = {"DISPLAY": ":7.0", "XAUTHORITY": str(cookie or "/nowhere")}
        self.x11 = X11Idle(environment, self.connect, lambda: self.now)

    def connect(self, display: str) -> socket.socket:
        self.displays.append(display)
        if len(self.displays) > len(self.servers):
            raise ConnectionRefusedError
        server = self.servers[len(self.displays) - 1]
        server.start()
        return server.theirs

    def close(self) -> None:
        self.x11.close()
        for server in self.servers:
            server.theirs.close()
            if server.ident is None:
                server.ours.close()
            else:
                server.join(10)


def world(
    run: Callable[[World], object], *servers: list[bytes], cookie: Path | None = None
) -> World:
    made = World(*servers, cookie=cookie)
    try:
        run(made)
    finally:
        made.close()
    return made


def test_it_says_since_when() -> None:
    def run(made: World) -> None:
        assert made.x11.idle() == 2.5
        assert made.x11.idle() == 0.0

    made = world(run, [greeting(), HAS_IT, told(2500), told(0)])
    hello, extension, *asks = made.servers[0].asked
    assert hello == b"l\0" + struct.pack("<HHHHH", 11, 0, 0, 0, 0)
    assert extension == struct.pack("<BxHHxx", 98, 6, 16) + EXTENSION
    assert asks == [struct.pack("<BBHI", MAJOR, 1, 2, ROOT_WINDOW)] * 2
    assert made.displays == ["7"]


def test_it_shows_its_key(tmp_path: Path) -> None:
    def entry(display: bytes, name: bytes, key: bytes) -> bytes:
        fields = [b"host", display, name, key]
        return struct.pack(">H", 256) + b"".join(struct.pack(">H", len(f)) + f for f in fields)

    cookie = tmp_path / "authority"
    cookie.write_bytes(
        entry(b"0", COOKIE, b"a" * 16)
        + entry(b"7", b"OTHER", b"b")
        + entry(b"7", COOKIE, b"c" * 16)
    )
    made = world(lambda one: one.x11.idle(), [greeting(), HAS_IT, told(1)], cookie=cookie)
    assert made.servers[0].asked[0] == (
        b"l\0" + struct.pack("<HHHHH", 11, 0, 18, 16, 0) + COOKIE + b"\0\0" + b"c" * 16
    )


@pytest.mark.parametrize(
    "answers",
    [
        [greeting(status=0)],
        [greeting(), reply(b"")],
        [greeting(), reply(b"", kind=0)],
        [greeting(), HAS_IT, reply(b"", kind=0)],
        [greeting()[:40]],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(2**16)],
        [struct.pack("<B5xH", 1, 2) + bytes(8)],
        [],
    ],
)
def test_a_server_that_does_not_answer_so_is_left_alone_for_a_while(answers: list[bytes]) -> None:
    def run(made: World) -> None:
        assert made.x11.idle() is None
        made.now += limits.X11_AGAIN_SECONDS - 1
        assert made.x11.idle() is None
        assert len(made.displays) == 1
        made.now += 1
        assert made.x11.idle() == 1.0, "it is another one now"

    world(run, answers, [greeting(), HAS_IT, told(1000)])


def test_a_server_that_goes_away_does_no_harm() -> None:
    def run(made: World) -> None:
        assert made.x11.idle() == 1.0
        assert made.x11.idle() is None

    world(run, [greeting(), HAS_IT, told(1000)])


@pytest.mark.parametrize("display", ["", "far.away:0", "localhost:10.0", ":x", ":0.0.0", ":999999"])
def test_a_display_that_is_not_here_is_not_asked(display: str) -> None:
    assert X11Idle({"DISPLAY": display}, connect=None).idle() is None


def test_no_server_at_all_is_not_known() -> None:
    assert X11Idle({"DISPLAY": ":54321"}).idle() is None
