"""What the tests of the HTTP server share: a stream, an application, and requests with answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import trio

from dc import limits_http as limits
from dc.http import Request, Response, Upgrade, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


class FakeStream(trio.abc.Stream):
    """Gives its bytes in pieces of `step`, then the end; keeps what is sent."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step
        self.sent = bytearray()
        self.closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        size = min(self.step, max_bytes or self.step)
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"", b"two"):
        yield piece


async def broken_pieces() -> AsyncIterator[bytes]:
    yield b"one "
    raise ValueError("no more")


async def app(request: Request) -> Response | Upgrade:
    """Answer as the cases below expect it."""
    match request.path:
        case "/" | "/next":
            return Response.text(200, f"{request.method} {request.path}\n")
        case "/echo":
            return Response(200, await request.body(10))
        case "/count":
            return Response.json(sum([len(piece) async for piece in request.stream()]))
        case "/chunks":
            return Response(200, pieces())
        case "/broken":
            return Response(200, broken_pieces())
        case "/read":
            return Response(405, b"no\n", headers=[("Allow", "GET, HEAD")])
        case "/nothing":
            return Response(204, b"ignored")
        case "/bad-header":
            return Response(200, headers=[("A", "b\r\nC: d")])
        case "/socket":
            return Upgrade([("Upgrade", "x"), ("Connection", "Upgrade")], "state")
        case "/fail":
            raise ValueError("a secret")
        case _:
            return Response.text(404, "nothing here\n")


async def no_upgrade(upgrade: Upgrade, stream: trio.abc.Stream, behind: bytes) -> None:
    await stream.send_all(b"upgraded " + behind)


async def answer(data: bytes, step: int = 1 << 20, handler: Any = app) -> bytes:
    """Return all that the server sends to a client that sends these bytes and ends."""
    stream = FakeStream(data, step)
    await serve(stream, handler, no_upgrade)
    assert stream.closed
    return bytes(stream.sent)


def statuses(output: bytes | bytearray) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", output)]


def undated(output: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]*\r\n", b"", output)


def get(target: str, *headers: str, method: str = "GET", host: str = "Host: x\r\n") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {target} HTTP/1.1\r\n{host}{lines}\r\n".encode()


CHUNKED = "Transfer-Encoding: chunked"
LENGTH_3 = "Content-Length: 3"

# name, bytes, status, whether the connection goes on
CASES: list[tuple[str, bytes, int, bool]] = [
    ("plain", get("/"), 200, True),
    ("blank lines before", b"\r\n\r\n" + get("/"), 200, True),
    ("head", get("/", method="HEAD"), 200, True),
    ("not found", get("/where"), 404, True),
    ("method not of this path", get("/read", method="POST"), 405, True),
    ("no content", get("/nothing"), 204, True),
    ("whole url", get("http://x/"), 200, True),
    ("close", get("/", "Connection: close"), 200, False),
    ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", 200, False),
    ("body", get("/echo", LENGTH_3, method="PUT") + b"abc", 200, True),
    ("body not read", get("/", LENGTH_3, method="PUT") + b"abc", 200, True),
    (
        "chunks",
        get("/echo", CHUNKED, method="PUT") + b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n",
        200,
        True,
    ),
    ("chunks not read", get("/", CHUNKED, method="PUT") + b"1\r\na\r\n0\r\n\r\n", 200, True),
    ("trailers", get("/echo", CHUNKED, method="PUT") + b"1\r\na\r\n0\r\nA: b\r\n\r\n", 200, True),
    ("same length twice", get("/echo", LENGTH_3, LENGTH_3, method="PUT") + b"abc", 200, True),
    ("answer in chunks", get("/chunks"), 200, True),
    ("handler fails", get("/fail"), 500, False),
    ("handler's header", get("/bad-header"), 500, False),
    # malformed
    ("garbage", b"\x00\x01\x02", 400, False),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, False),
    ("HTTP/0.9", b"GET /\r\n", 400, False),
    ("broken off head", b"GET / HTTP/1.1\r\nHost", 400, False),
    ("no host", get("/", host=""), 400, False),
    ("two hosts", get("/", "Host: y"), 400, False),
    ("no such host", get("/", host="Host: a/b\r\n"), 400, False),
    ("malformed header", get("/", "no colon"), 400, False),
    ("space before colon", get("/", "A : b"), 400, False),
    ("NUL", get("/", "A: \0"), 400, False),
    ("bare CR", get("/", "A: b\rC: d"), 400, False),
    ("bare LF", b"GET / HTTP/1.1\nHost: x\n\n", 400, False),
    ("folded", get("/", "A: b", " c"), 400, False),
    ("target", get("here"), 400, False),
    ("escape", get("/%zz"), 400, False),
    ("fragment", get("/#x"), 400, False),
    # too much, or not spoken here
    ("long target", get("/" + "a" * limits.REQUEST_LINE_BYTES), 414, False),
    ("long head", get("/", "A: " + "b" * limits.HEAD_BYTES), 431, False),
    ("method that no path has", get("/read", method="BREW"), 405, True),
    ("trace", get("/read", method="TRACE"), 405, True),
    ("lower case", get("/read", method="get"), 405, True),
    ("long method", get("/", method="A" * 40), 501, False),
    ("connect", get("x:1", method="CONNECT"), 501, False),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, False),
    ("HTTP/1.7", b"GET / HTTP/1.7\r\nHost: x\r\n\r\n", 505, False),
    ("expectation", get("/", "Expect: more"), 417, False),
    ("body too large", get("/echo", "Content-Length: 11", method="PUT") + b"a" * 11, 413, False),
    ("huge body", get("/echo", "Content-Length: 99999999999", method="PUT") + b"a", 413, False),
    ("chunks too large", get("/echo", CHUNKED, method="PUT") + b"b\r\n" + b"a" * 11, 413, False),
    # bodies and what smuggles requests
    ("broken off body", get("/echo", LENGTH_3, method="PUT") + b"ab", 400, False),
    ("broken off chunk", get("/echo", CHUNKED, method="PUT") + b"3\r\nab", 400, False),
    ("length and chunks", get("/echo", LENGTH_3, CHUNKED, method="PUT") + b"0\r\n\r\n", 400, False),
    ("two lengths", get("/echo", LENGTH_3, "Content-Length: 4", method="PUT") + b"abc", 400, False),
    ("list of lengths", get("/echo", "Content-Length: 3, 4", method="PUT") + b"abc", 400, False),
    ("signed length", get("/echo", "Content-Length: +3", method="PUT") + b"abc", 400, False),
    ("hex length", get("/echo", "Content-Length: 0x3", method="PUT") + b"abc", 400, False),
    ("chunks, gzip", get("/echo", "Transfer-Encoding: gzip, chunked", method="PUT"), 501, False),
    ("chunks twice", get("/echo", CHUNKED, CHUNKED, method="PUT"), 501, False),
    ("chunks disguised", get("/echo", "Transfer-Encoding: xchunked", method="PUT"), 501, False),
    ("chunks in 1.0", b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, False),
    ("chunk size", get("/echo", CHUNKED, method="PUT") + b"-1\r\na\r\n", 400, False),
    ("chunk end", get("/echo", CHUNKED, method="PUT") + b"1\r\nab\r\n", 400, False),
    ("chunk LF", get("/echo", CHUNKED, method="PUT") + b"1\na\n0\n\n\r\n", 400, False),
    ("last chunk LF", get("/echo", CHUNKED, method="PUT") + b"1\r\na\r\n0\r\n\n", 400, False),
    ("trailer LF", get("/echo", CHUNKED, method="PUT") + b"0\r\nA: b\n\r\n", 400, False),
]
