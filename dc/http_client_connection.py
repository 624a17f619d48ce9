"""A client's HTTP/1.1 connection, and the exchange that is going on on it.

Bodies pass by h11, see dc/http_body.py, unless they come in chunks; files are read by threads. An
h11 connection serves one exchange. No timeouts: they are the caller's.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVarTuple

import h11
import trio

from dc import http_body, http_head, limits, limits_http
from dc.errors import ConnectionLost, DcError, HttpError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from trio.abc import Stream

    Headers = list[tuple[str, str]]

Ts = TypeVarTuple("Ts")

Source: TypeAlias = Path | bytes | AsyncIterable[bytes]
"""What is sent: a file, bytes, or pieces that are sent in chunks."""

Told: TypeAlias = Callable[[int], None]
"""Is told how many bytes of a body have been sent by now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        method: as it is sent.
        path: an encoded path with its query.
        headers: further ones; host and length are the connection's business.
        source: its body.
        start: the first byte of a file or of bytes that is sent.
        told: is told of what was sent of a file or of bytes, from 0 on.
    """

    method: str
    path: str
    headers: Headers
    source: Source = b""
    start: int = 0
    told: Told | None = None

    def tell(self, sent: int) -> None:
        """Tell whoever wants to know how much was sent."""
        if self.told is not None:
            self.told(sent)

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent once more if nobody knows whether it was heard."""
        return self.method in ("GET", "HEAD", "PUT") and isinstance(self.source, bytes | Path)


class ClientConnection:
    """One connection, and the exchange that is going on on it.

    Args:
        stream: opened to the server.
        host: for the Host header.

    Attributes:
        stream: as given.
        heard: a byte of the answer has arrived.
    """

    def __init__(self, stream: Stream, host: str) -> None:
        self.stream = stream
        self.heard = False
        self._host = host
        self._h11 = _new_h11()
        self._ended = False  # the server sends nothing more
        self._buffer = b""  # of a body whose length was said: received with the head
        self._left: int | None = None  # what of it has not been read
        self._answer = h11.Response(status_code=200, headers=[])  # the last head that came

    async def ask(self, asked: Asked) -> None:
        """Send a request and wait for the head of its answer."""
        self.heard = False
        try:
            await self._send_request(asked)
        except ConnectionLost:
            self._h11.send_failed()
        event = await self._next_event()
        while not isinstance(event, h11.Response):  # 100 Continue and its like
            event = await self._next_event()
        self._answer = event
        self._left = 0 if asked.method == "HEAD" else self.length
        if self._left is not None:
            self._buffer = self._h11.trailing_data[0]

    @property
    def status(self) -> int:
        """Of the answer."""
        return self._answer.status_code

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer, by lower-cased name; values of one name are joined by a comma."""
        return http_head.join_headers(self._answer.headers)

    async def raise_for_status(self, accepted: Container[int] = ()) -> None:
        """Raise HttpError, with the server's text, for an answer other than success.

        Args:
            accepted: further statuses that are none.
        """
        status = self.status
        if 200 <= status < 300 or status in accepted:
            return
        text = self._answer.reason.decode("latin-1")
        with suppress(DcError):  # the status alone says enough
            text = (await self.body(limits.ERROR_CHARS)).decode(errors="replace").strip() or text
        raise HttpError(text, status=status)

    async def body(self, limit: int) -> bytes:
        """Return the whole body of the answer, at most `limit` bytes."""
        pieces, total = [], self._left or 0
        if self._left is not None and total <= limit:
            return await self._whole(total)
        while total <= limit and (piece := await self._next_piece()):
            pieces.append(piece)
            total += len(piece)
        if total > limit:
            raise ProtocolError(f"the server's answer has more than {limit} bytes")
        return b"".join(pieces)

    async def _whole(self, size: int) -> bytes:
        """Return a body of this size, received into the very bytes that are returned."""
        memory, held = io.BytesIO(bytes(size)), self._take_held(size)
        with memory.getbuffer() as view:
            view[: len(held)] = held
            at = len(held)
            while at < size:
                at += await self._receive_more(http_body.receive_into, view[at:])
        self._left = 0
        return memory.getvalue()

    async def move_to(self, sink: Callable[[memoryview], object]) -> int:
        """Give more of the answer's body to a sink, in a thread.

        Args:
            sink: takes bytes that are gone when it returns.

        Returns:
            How many bytes; 0 at the body's end.
        """
        held = await self._next_piece() if self._left is None else self._take_held(self._left)
        if self._left is None or self._left == len(held):
            received = 0
            if held:
                await trio.to_thread.run_sync(sink, memoryview(held))
        else:
            rest = self._left - len(held), sink, held
            received = await self._receive_more(http_body.receive_to, *rest)
        if self._left is not None:
            self._left -= len(held) + received
        return len(held) + received

    def _take_held(self, size: int) -> bytes:
        """Return what was received of a body with the head."""
        held, self._buffer = self._buffer[:size], self._buffer[size:]
        return held

    async def _next_piece(self) -> bytes:
        """Return the next piece of a body whose length was not said, empty at its end."""
        while True:
            event = await self._next_event()
            if isinstance(event, h11.EndOfMessage):
                return b""
            if event.data:
                return bytes(event.data)

    async def _receive_more(
        self, receive: Callable[[Stream, *Ts], Awaitable[int]], *arguments: *Ts
    ) -> int:
        """Receive of a body whose length was said; return how many bytes, one at least."""
        try:
            got = await receive(self.stream, *arguments)
        except http_body.CLOSED as error:
            raise ConnectionLost(f"the connection to {self._host} broke") from error
        if not got:
            self._ended = True
            raise ConnectionLost(f"{self._host} broke off its answer")
        return got

    @property
    def length(self) -> int | None:
        """Of the answer's body in bytes, if the server said it."""
        if self._answer.status_code in (204, 304) or self._is_chunked:
            return None
        return next((int(v) for name, v in self._answer.headers if name == b"content-length"), None)

    @property
    def _is_chunked(self) -> bool:
        return any(name == b"transfer-encoding" for name, _ in self._answer.headers)

    @property
    def is_framed(self) -> bool:
        """Whether a broken off answer can be told from a whole one."""
        return self._is_chunked or self.length is not None

    def can_go_on(self) -> bool:
        """Whether another exchange can follow on this connection; prepare it."""
        link = self._h11
        behind = link.trailing_data[0] if self._left is None else self._buffer
        ended = link.their_state is h11.DONE if self._left is None else not self._left
        if link.our_state is not h11.DONE or not ended or self._ended or behind:
            return False
        self._h11, self._left, self._buffer = _new_h11(), None, b""
        return True

    async def _next_event(self) -> Any:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if self._ended:
                    text = "broke off its answer" if self.heard else "closed the connection"
                    raise ConnectionLost(f"{self._host} {text}") from error
                raise ProtocolError(f"the answer of {self._host} is no HTTP: {error}") from error
            if event is not h11.NEED_DATA:
                return event
            await self._receive()

    async def _receive(self) -> None:
        try:
            piece = await self.stream.receive_some(limits_http.RECEIVE_BYTES)
        except http_body.CLOSED as error:
            raise ConnectionLost(f"the connection to {self._host} broke") from error
        self._ended = not piece
        self.heard = self.heard or bool(piece)
        self._h11.receive_data(bytes(piece))

    async def _send(self, data: bytes | memoryview) -> None:
        try:
            if data:
                await self.stream.send_all(data)
        except http_body.CLOSED as error:
            raise ConnectionLost(f"the connection to {self._host} broke") from error

    async def _send_request(self, asked: Asked) -> None:
        if isinstance(asked.source, Path):
            await self._send_file(asked, asked.source)
        elif isinstance(asked.source, bytes):
            await self._send_bytes(asked, memoryview(asked.source)[asked.start :])
        else:
            await self._send_pieces(asked, asked.source)

    def _head(self, asked: Asked, size: int | None) -> bytes:
        headers = [("Host", self._host), ("User-Agent", "dc")]
        if size is None:
            headers.append(("Transfer-Encoding", "chunked"))
        elif asked.method not in ("GET", "HEAD"):
            headers.append(("Content-Length", str(size)))
        headers += asked.headers
        return self._h11.send(h11.Request(method=asked.method, target=asked.path, headers=headers))

    async def _send_bytes(self, asked: Asked, view: memoryview) -> None:
        data = self._head(asked, len(view))
        self._count(len(view))
        size = limits_http.FILE_PIECE_BYTES
        if len(view) <= size:
            await self._send(data + view)
            asked.tell(len(view))
            return
        await self._send(data)
        asked.tell(0)
        http_body.prepare_bulk(self.stream)
        for start in range(0, len(view), size):
            await self._send(view[start : start + size])
            asked.tell(min(start + size, len(view)))

    async def _send_file(self, asked: Asked, source: Path) -> None:
        file, size = await trio.to_thread.run_sync(http_body.open_file, source)
        with file:
            await self._send(self._head(asked, max(0, size - asked.start)))
            asked.tell(0)
            self._count(max(0, size - asked.start))
            http_body.prepare_bulk(self.stream)
            start = asked.start
            while start < size:
                sent = await self._send_span(file, start, size - start)
                if not sent:
                    raise OSError(f"{source} became shorter while it was sent")
                start += sent
                asked.tell(start - asked.start)

    async def _send_pieces(self, asked: Asked, pieces: AsyncIterable[bytes]) -> None:
        await self._send(self._head(asked, None))
        http_body.prepare_bulk(self.stream)
        async for piece in pieces:
            await self._send(self._h11.send(h11.Data(data=piece)))
        await self._send(self._h11.send(h11.EndOfMessage()))

    def _count(self, size: int) -> None:
        """Have h11 know that a body is sent, without any of its bytes."""
        if size:
            self._h11.send_with_data_passthrough(http_body.unseen(size))
        self._h11.send(h11.EndOfMessage())

    async def _send_span(self, file: BinaryIO, start: int, size: int) -> int:
        try:
            return await http_body.send_from_file(self.stream, file, start, size)
        except http_body.CLOSED as error:
            raise ConnectionLost(f"the connection to {self._host} broke") from error


def _new_h11() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=limits_http.HEAD_BYTES)
