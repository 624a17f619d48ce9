"""HTTP/1.1 for a client, over any Trio stream: one kept-alive connection to one server.

How it works:
- `HttpClient` has at most one connection, and one exchange on it at a time. An exchange that fails
  or is cancelled drops the connection; the next one opens another.
- A server may close an idle connection just when a request is on its way. If a used connection
  ends before any byte of the answer, the request is made once more on a new one. GET and PUT may
  be repeated; a POST may not, and therefore always gets a new connection.
- A server may refuse a body before it has all of it, and close. So when sending fails, the answer
  that may have arrived is still read.
- Bodies pass by h11, see dc/http_body.py, unless they come in chunks; files are read and written
  by threads. An h11 connection serves one exchange. No timeouts: they are the caller's.
"""

from __future__ import annotations

import io
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVarTuple

import h11
import msgspec
import trio

from dc import http_body, limits
from dc.errors import ConnectionLost, DcError, HttpError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from trio.abc import Stream

    Headers = list[tuple[str, str]]

Ts = TypeVarTuple("Ts")


class HttpClient:
    """A client of one server. Its methods may be called by several tasks; they take turns.

    All of them raise HttpError for an answer other than success, ConnectionLost for a connection
    that cannot be made or broke, and ProtocolError for an answer that is no HTTP or too large.

    Args:
        open_stream: opens a connection to the server.
        host: for the Host header: the server's name, and its port unless it is the usual one.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[Stream]], host: str) -> None:
        self._open_stream = open_stream
        self._host = host
        self._lock = trio.Lock()
        self._connection: _Connection | None = None

    async def get(self, path: str, limit: int = limits.ANSWER_BYTES) -> bytes:
        """Return what is at a path, an encoded path with its query; at most `limit` bytes."""
        async with self._exchange("GET", path, [], b"") as answer:
            return await answer.body(limit)

    async def download_bytes(self, path: str, limit: int) -> bytes:
        """Return what is at a path, at most `limit` bytes."""
        return await self.get(path, limit)

    async def get_json(self, path: str, limit: int = limits.ANSWER_BYTES) -> Any:
        """Return the JSON at a path, decoded."""
        return _from_json(await self.get(path, limit))

    async def send_json(
        self, method: str, path: str, value: Any = None, limit: int = limits.ANSWER_BYTES
    ) -> Any:
        """Send a value as JSON, None as no body; return the answer's, None if that is empty.

        It is never sent twice: whoever does not hear the answer knows best what to do.
        """
        body = b"" if value is None else msgspec.json.encode(value)
        headers = [("Content-Type", "application/json")] if body else []
        async with self._exchange(method, path, headers, body) as answer:
            data = await answer.body(limit)
        return _from_json(data) if data else None

    async def download(self, path: str, to: Path) -> int:
        """Write what is at a path to a file, and return its size in bytes.

        The file is complete or absent: the bytes go to a file beside it, with `.part` behind the
        name, which then takes its place. It is not flushed to the disk.

        Raises:
            OSError: the file cannot be written.
        """
        part = to.with_name(f"{to.name}.part")
        async with self._exchange("GET", path, [], b"") as answer:
            file = await trio.to_thread.run_sync(_create, part)
            try:
                with file:
                    size = await _write_all(file, answer)
                part.replace(to)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return size

    async def upload(self, path: str, source: Path | bytes, headers: Headers | None = None) -> None:
        """Put a file or bytes at a path.

        Args:
            path: an encoded path with its query.
            source: what to send; a file must not change meanwhile.
            headers: further ones, such as a digest.

        Raises:
            OSError: the file cannot be read, or became shorter.
        """
        async with self._exchange("PUT", path, headers or [], source) as answer:
            await answer.body(limits.ANSWER_BYTES)

    async def aclose(self) -> None:
        """Close the connection. An exchange on it fails; a later one opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await trio.aclose_forcefully(connection.stream)

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, headers: Headers, source: Path | bytes
    ) -> AsyncIterator[_Connection]:
        """Yield the connection with the head of a successful answer behind it."""
        async with self._lock:
            try:
                connection = await self._ask(method, path, headers, source)
                await connection.raise_for_status()
                yield connection
                if not connection.can_go_on():
                    await self.aclose()
            except HttpError:
                if self._connection is None or not self._connection.can_go_on():
                    await self.aclose()
                raise
            except BaseException:
                await self.aclose()
                raise

    async def _ask(
        self, method: str, path: str, headers: Headers, source: Path | bytes
    ) -> _Connection:
        if method not in ("GET", "PUT"):
            await self.aclose()
        if (used := self._connection) is not None:
            try:
                await used.ask(method, path, headers, source)
                return used
            except ConnectionLost:
                if used.heard or self._connection is not used:  # answered, or closed by aclose
                    raise
                await self.aclose()
        self._connection = fresh = await self._connect()
        await fresh.ask(method, path, headers, source)
        return fresh

    async def _connect(self) -> _Connection:
        try:
            return _Connection(await self._open_stream(), self._host)
        except (OSError, *http_body.CLOSED) as error:
            raise ConnectionLost(f"cannot connect to {self._host}: {error}") from error


class _Connection:
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

    async def ask(self, method: str, path: str, headers: Headers, source: Path | bytes) -> None:
        """Send a request and wait for the head of its answer."""
        self.heard = False
        try:
            if isinstance(source, Path):
                await self._send_file(method, path, headers, source)
            else:
                await self._send_bytes(method, path, headers, source)
        except ConnectionLost:
            self._h11.send_failed()
        event = await self._next_event()
        while not isinstance(event, h11.Response):  # 100 Continue and its like
            event = await self._next_event()
        self._answer = event
        self._left = self.length
        if self._left is not None:
            self._buffer = self._h11.trailing_data[0]

    async def raise_for_status(self) -> None:
        """Raise HttpError, with the server's text, for an answer other than success."""
        status = self._answer.status_code
        if 200 <= status < 300:
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
            piece = await self.stream.receive_some(limits.RECEIVE_BYTES)
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

    def _head(self, method: str, path: str, headers: Headers, size: int) -> bytes:
        common = [("Host", self._host), ("User-Agent", "dc")]
        if method != "GET":
            common.append(("Content-Length", str(size)))
        return self._h11.send(h11.Request(method=method, target=path, headers=common + headers))

    async def _send_bytes(self, method: str, path: str, headers: Headers, body: bytes) -> None:
        data = self._head(method, path, headers, len(body))
        self._count(len(body))
        if len(body) <= limits.FILE_PIECE_BYTES:
            await self._send(data + body)
            return
        await self._send(data)
        http_body.prepare_bulk(self.stream)
        view = memoryview(body)
        size = limits.FILE_PIECE_BYTES
        for start in range(0, len(body), size):
            await self._send(view[start : start + size])

    async def _send_file(self, method: str, path: str, headers: Headers, source: Path) -> None:
        file, size = await trio.to_thread.run_sync(http_body.open_file, source)
        with file:
            await self._send(self._head(method, path, headers, size))
            self._count(size)
            http_body.prepare_bulk(self.stream)
            start = 0
            while start < size:
                sent = await self._send_span(file, start, size - start)
                if not sent:
                    raise OSError(f"{source} became shorter while it was sent")
                start += sent

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


async def _write_all(file: BinaryIO, answer: _Connection) -> int:
    """Write the body of an answer to a file, in few large pieces; return its size in bytes."""
    if not answer.is_framed:
        raise ProtocolError("the server's answer has no length; it cannot be known to be whole")
    size = 0
    while got := await answer.move_to(file.write):
        size += got
    return size


def _new_h11() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEAD_BYTES)


def _create(path: Path) -> BinaryIO:
    return path.open("wb")


def _from_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the server's answer is no JSON: {error}") from error
