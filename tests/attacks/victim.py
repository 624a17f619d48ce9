"""A server to be attacked, in memory: every connection is a pair of streams from some address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace
from trio.testing import memory_stream_pair

from dc import _frames
from dc.link_open import SUBPROTOCOL
from dc.server.guard import Allowed
from dc.server.site import Site
from tests.server.served import Served

STATUS: Final = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
FAR: Final = "192.0.2.1:5"

Stream = trio.StapledStream[Any, Any]


class Answer:
    """An answer as it was sent."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.status = int(re.match(rb"HTTP/1\.1 (\d{3})", head)[1])  # type: ignore[index]
        lines = head.decode("latin-1").split("\r\n")[1:]
        pairs = [line.partition(": ") for line in lines if line]
        self.headers = {name.lower(): value for name, _, value in pairs}

    @property
    def code(self) -> str:
        """Of a problem."""
        return str(msgspec.json.decode(self.body)["code"])


class Victim:
    """A server without a socket.

    Args:
        folder: for its blobs.
        allowed: how much others may ask of it.
    """

    def __init__(self, folder: Path, allowed: Allowed = Allowed()) -> None:
        self.served = Served(folder)
        self.served.app.settings = replace(self.served.app.settings, allowed=allowed)
        self.served.site = Site(self.served.app)
        self.nursery: trio.Nursery | None = None

    def connect(self, address: str = FAR) -> Stream:
        """Open a connection to it."""
        assert self.nursery is not None
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.served.site.serve_stream, theirs, address)
        return ours

    async def send(self, data: bytes, address: str = FAR) -> list[Answer]:
        """Send bytes over a connection of its own, and the end; return all answers."""
        stream = self.connect(address)
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, data)
            with trio.fail_after(120):
                async for piece in stream:
                    received += piece
        await trio.aclose_forcefully(stream)
        return answers_in(bytes(received), data)

    async def is_well(self) -> bool:
        """Whether others are served."""
        (answer,) = await self.send(STATUS, "198.51.100.7:5")
        return answer.status == 200

    async def socket(self, address: str = FAR) -> Stream:
        """Open a WebSocket to it; return the bare stream behind the handshake."""
        stream = self.connect(address)
        await stream.send_all(upgrade())
        head = bytearray()
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1)
        assert head.startswith(b"HTTP/1.1 101 "), bytes(head)
        return stream


async def _send(stream: Stream, data: bytes) -> None:
    try:
        await stream.send_all(data)
        await stream.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # it has been refused before its end


def upgrade(*more: str) -> bytes:
    """Return a request for the socket."""
    lines = [
        "GET /socket HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        *more,
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def answers_in(received: bytes, sent: bytes = b"") -> list[Answer]:
    """Return the answers that some bytes are; each has a length, or is the last one."""
    found: list[Answer] = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        answer = Answer(head, b"")
        if answer.headers.get("transfer-encoding") == "chunked":
            answer.body, received = rest, b""
        else:
            size = 0 if sent.startswith(b"HEAD") else int(answer.headers.get("content-length", 0))
            answer.body, received = rest[:size], rest[size:]
        found.append(answer)
    return found


async def closed_with(stream: Stream) -> int:
    """Read a WebSocket to its end; return the code of the server's close frame, 0 for none."""
    decoder = _frames.FrameDecoder(client=True, limit=1 << 22)
    async for piece in stream:
        decoder.receive_data(piece)
        while not decoder.closed and decoder.next_event() is not None:
            pass
    return decoder.close_code


@asynccontextmanager
async def attacked(folder: Path, allowed: Allowed = Allowed()) -> AsyncIterator[Victim]:
    """Run such a server until the block ends."""
    victim = Victim(folder, allowed)
    await victim.served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(victim.served.app.run)
        async with trio.open_nursery() as victim.nursery:
            yield victim
            victim.nursery.cancel_scope.cancel()
        victim.served.app.stop()
