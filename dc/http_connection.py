"""One client's HTTP/1.1 connection: h11 says what bytes mean, this file moves them.

How it works:
- A connection is used by one task, one request after the other. Bytes that were received and not
  yet used are in `HttpConnection._buffer`. An h11 connection exists only while a request is in
  hand, so that an idle connection costs little.
- A head is gathered here, within its limits of bytes and time, passes `dc.http_head`, and only
  then goes to h11 as a whole.
- A body whose length was said passes by h11, straight from the socket into the handler's buffer;
  a file goes out the same way. One in chunks is fed to h11 piece by piece, as the handler asks.
- What the client did wrong is a ProtocolError with a status; it is answered and the connection
  closed. A broken stream is ConnectionLost; nobody is left to be answered.
- A send that failed or was cancelled may have sent half: the connection is closed at once.
"""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h11
import trio

from dc import http_body, http_head, limits_guard, limits_http
from dc.errors import ConnectionLost, ProtocolError
from dc.http_messages import Request, Response, interim, refusal
from dc.http_pace import Pace, calm, patience
from dc.http_patched import Patched

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable

    from trio.abc import Stream

T = TypeVar("T")
Got = TypeVar("Got", int, bytes | bytearray)


class HttpConnection:
    """One client's connection: `next_request`, then `respond`, `refuse` or `upgrade`, and again.

    The times it grants are its own (see dc/limits.py): it owns the connection.

    Args:
        stream: the connection; the caller closes it.

    Attributes:
        closing: no further request will be read.
        lost: the stream is broken; nothing can be sent.
    """

    __slots__ = (
        "_bodiless",
        "_buffer",
        "_ended",
        "_grace",
        "_h11",
        "_left",
        "_pace",
        "_patience",
        "_recent",
        "_request",
        "_unread",
        "closing",
        "lost",
        "stream",
    )

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.closing = self.lost = False
        self._buffer = bytearray()  # received, not yet given to h11
        self._ended = False  # the client sends nothing more
        self._grace = limits_guard.SPEAK_SECONDS  # until the next request begins
        self._h11: h11.Connection | None = None  # while a request is in hand
        self._request: Request | None = None  # the one in hand, once its head is parsed
        self._bodiless = False  # its answer is a head alone
        self._unread = False  # its body has not been read to the end
        self._left: int | None = None  # bytes of it that have not been read, if its length was said
        self._pace: Pace | None = None  # that it has to keep, once some of it was waited for
        self._recent = b""  # the last bytes of it that h11 was fed, if it comes in chunks
        self._patience = limits_http.SEND_SECONDS  # of one send

    async def next_request(self) -> Request | None:
        """Return the next request, or None when the client has no more.

        Raises:
            ProtocolError: it is to be given to `refuse`.
        """
        try:
            if self.closing or not await self._wait_for_bytes():
                return None
            with trio.move_on_after(limits_http.HEAD_SECONDS) as scope:
                head = await self._receive_head()
        except ConnectionLost:
            return None
        if scope.cancelled_caught:
            raise ProtocolError(f"no head within {limits_http.HEAD_SECONDS:g} seconds", status=408)
        return self._parse(head) if head else None

    async def next_piece(self, request: Request) -> bytes:
        """Return the next piece of this request's body, empty at its end.

        Raises:
            ProtocolError: 400 for a malformed or broken off body, 408 for one that stalls.
            ConnectionLost: the connection broke.
            RuntimeError: the request was answered already.
        """
        if request is not self._request:
            raise RuntimeError("the request was answered already; its body is gone")
        if self._left is not None:
            return await self._next_of_known_length(self._left)
        while self._unread:
            event = self._next_event()
            if event is h11.NEED_DATA:
                await self._feed()
            elif isinstance(event, h11.Data):
                return bytes(event.data)
            else:
                self._end_body()
        return b""

    async def move_to(self, request: Request, sink: Callable[[memoryview], object]) -> int:
        """Give more of this request's body to a sink, in a thread; raises as `next_piece` does.

        Returns:
            How many bytes; 0 at the body's end.
        """
        held = bytes(self._buffer[: self._left or 0])
        if request is not self._request or self._left in (None, len(held)):
            piece = await self.next_piece(request)
            if piece:
                await trio.to_thread.run_sync(sink, memoryview(piece))
            return len(piece)
        del self._buffer[: len(held)]
        rest = self._left - len(held)
        try:
            got = await self._await_more(http_body.receive_to, self.stream, rest, sink, held)
        except http_body.CLOSED as error:
            raise self._broken(error) from error
        except BaseException:
            self.closing = True  # nobody knows how much of the body was taken
            raise
        return self._count(got, held)

    async def respond(self, response: Response) -> None:
        """Send an answer to the request in hand; what is left of its body is skipped.

        Raises:
            ConnectionLost: the connection broke, or the client does not take the answer.
        """
        close = getattr(response.body, "aclose", None)
        try:
            if not await self._skip_body():
                self.closing = True
            if response.etag and self._request is not None:
                response = response.under(self._request.headers)
            self._patience = response.patience
            if isinstance(response.body, bytes):
                await self._send_bytes(response, response.body)
            elif isinstance(response.body, Path | Patched):
                await self._send_file(response, response.body)
            else:
                await self._send_pieces(response, response.body)
        except BaseException:
            self.closing = True
            raise
        finally:
            if close is not None:
                await close()
        self._h11, self._request, self._left, self._bodiless = None, None, None, False
        self._patience = limits_http.SEND_SECONDS

    async def refuse(self, error: ProtocolError) -> None:
        """Answer with a problem (RFC 9457), unless an answer has begun; then close."""
        self.closing = True
        self._h11 = self._h11 or h11.Connection(h11.SERVER)
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send_bytes(*refusal(error))

    async def upgrade(self, headers: list[tuple[str, str]]) -> bytes:
        """Send 101 and leave HTTP; the stream is the caller's from then on.

        Args:
            headers: `Upgrade` and `Connection` among them.

        Returns:
            What the client sent behind its request.

        Raises:
            ProtocolError: 400 if the request asks for no upgrade, or has a body.
            ConnectionLost: the connection broke.
        """
        link = self._in_hand()
        if self._unread or link.next_event() is not h11.PAUSED:
            raise ProtocolError("no upgrade was asked for, or the request has a body")
        await self._send(link.send(interim(101, headers)))
        self.closing, self._h11, self._request = True, None, None
        return bytes(self._buffer)

    async def finish(self) -> None:
        """Close the stream once the client has had its last answer, or a short time after."""
        with trio.move_on_after(limits_http.LINGER_SECONDS):
            try:
                if isinstance(self.stream, trio.abc.HalfCloseableStream):
                    await self.stream.send_eof()
                    unused = self.stream, limits_http.MOVE_BYTES, len
                    while not self._ended and await http_body.receive_to(*unused):
                        pass
                await self.stream.aclose()
            except (*http_body.CLOSED, ConnectionLost, trio.BusyResourceError, OSError):
                pass  # busy: what was upgraded to has failed in the midst of a send
        await trio.aclose_forcefully(self.stream)

    def _in_hand(self) -> h11.Connection:
        if self._h11 is None:
            raise RuntimeError("no request is in hand")
        return self._h11

    async def _receive(self, size: int) -> bytes | bytearray:
        try:
            piece = await self.stream.receive_some(size)
        except http_body.CLOSED as error:
            raise self._broken(error) from error
        self._ended = not piece
        return piece

    async def _wait_for_bytes(self) -> bool:
        if not self._buffer and not self._ended:
            grace, self._grace = self._grace, limits_http.KEEP_ALIVE_SECONDS
            with trio.move_on_after(grace):
                self._buffer += await self._receive(limits_http.HEAD_BYTES)
        return bool(self._buffer)

    async def _receive_head(self) -> bytes:
        seen, began = 0, trio.current_time()
        while True:
            http_head.skip_blank_lines(self._buffer)
            if length := http_head.head_length(self._buffer, seen):
                head = bytes(self._buffer[:length])
                del self._buffer[:length]
                return head
            seen = len(self._buffer)
            if self._ended:
                break
            await calm(began)
            self._buffer += await self._receive(limits_http.HEAD_BYTES)
        if seen:
            raise ProtocolError("the head was broken off")
        return b""

    def _parse(self, head: bytes) -> Request:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=limits_http.HEAD_BYTES)
        self._unread, self._recent, self._pace = True, b"", None
        self._h11.receive_data(head)
        event = self._next_event()
        assert isinstance(event, h11.Request)
        self._bodiless = event.method == b"HEAD"
        method, target = event.method.decode("ascii"), event.target.decode("ascii")
        version = event.http_version.decode("ascii")
        request = Request(self, method, target, version, event.headers)
        self._request, self._left = request, request.content_length
        if self._left == 0:
            self._next_event()
            self._end_body()
        return request

    def _next_event(self) -> Any:
        try:
            return self._in_hand().next_event()
        except h11.RemoteProtocolError as error:
            text = str(error).partition(": bytearray")[0]  # without the client's own bytes
            raise ProtocolError(text, status=error.error_status_hint) from error

    async def _feed(self) -> None:
        """Give h11 the next received bytes of a body."""
        piece: bytes | bytearray = self._buffer
        self._buffer = bytearray()
        if not piece:
            piece = await self._await_more(self._receive, limits_http.RECEIVE_BYTES)
        self._in_hand().receive_data(bytes(piece))
        self._recent = self._recent[-4:] + piece

    async def _next_of_known_length(self, left: int) -> bytes:
        piece = bytes(self._buffer[:left])
        if piece or not left:
            del self._buffer[: len(piece)]
            self._count(0, piece)
        else:
            size = min(left, limits_http.RECEIVE_BYTES)
            piece = bytes(await self._await_more(self._receive, size))
            self._count(len(piece))
        return piece

    async def _await_more(self, receive: Callable[..., Awaitable[Got]], *arguments: object) -> Got:
        await self._let_continue()
        self._pace = (self._pace or Pace()).resume()
        with patience():
            got = await receive(*arguments)
        self._pace.check(got if isinstance(got, int) else len(got))
        return got

    def _count(self, received: int, held: bytes = b"") -> int:
        """Count what was read of a body whose length was said; return how much."""
        assert self._left is not None
        self._left -= len(held) + received
        self._unread = self._left > 0
        if self._unread and not (received or held):
            self._ended = True
            raise ProtocolError(f"the body was broken off, {self._left} bytes before its end")
        return len(held) + received

    async def _let_continue(self) -> None:
        link = self._in_hand()
        if link.they_are_waiting_for_100_continue:
            await self._send(link.send(interim(100, [])))

    def _broken(self, error: Exception) -> ConnectionLost:
        self.closing = self.lost = self._ended = True
        return ConnectionLost(f"the client's connection broke: {error}")

    def _end_body(self) -> None:
        """Take back what lies behind the body.

        Raises:
            ProtocolError: a body in chunks ended in a bare LF, which a proxy may read otherwise.
        """
        self._unread = False
        behind, _ = self._in_hand().trailing_data
        self._buffer[:0] = behind
        fed = self._recent[: len(self._recent) - len(behind)]
        self._recent = b""
        assert self._request is not None
        if self._request.content_length is None and not fed.endswith(b"\r\n\r\n"):
            self.closing = True
            raise ProtocolError("the last chunk ends in LF without CR")

    async def _skip_body(self) -> bool:
        """Read the rest of a short body; return whether the connection can be used again."""
        link, request = self._in_hand(), self._request
        if not self._unread or request is None:
            return not self._unread
        if self.closing or link.they_are_waiting_for_100_continue:
            return False
        left = limits_http.DRAIN_BYTES
        if request.content_length is not None and request.content_length > left:
            return False
        with trio.move_on_after(limits_http.LINGER_SECONDS):
            try:
                while left >= 0 and (piece := await self.next_piece(request)):
                    left -= len(piece)
            except ProtocolError:
                pass
        return not self._unread

    async def _send(self, data: bytes | memoryview) -> None:
        if data:
            await self._bounded(self.stream.send_all, data)

    async def _bounded(self, send: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Have a piece sent within its time."""
        try:
            with trio.fail_after(self._patience):
                return await send(*arguments)
        except BaseException as error:
            self.closing = self.lost = self._ended = True
            await trio.aclose_forcefully(self.stream)
            if isinstance(error, (*http_body.CLOSED, trio.TooSlowError)):
                raise ConnectionLost("the client does not take its answer") from error
            raise

    def _head(self, response: Response, length: int | None) -> bytes:
        headers = [("Date", formatdate(usegmt=True)), ("Server", "dc")]
        if response.status in (204, 304):
            self._bodiless = True
        else:
            headers.append(("Content-Type", response.content_type))
            if length is not None:
                headers.append(("Content-Length", str(length)))
        if self.closing:
            headers.append(("Connection", "close"))
        headers += response.headers
        event = h11.Response(status_code=response.status, headers=headers, reason=response.reason)
        return self._in_hand().send(event)

    def _end(self) -> bytes:
        link = self._in_hand()
        data = link.send(h11.EndOfMessage())
        if link.our_state is not h11.DONE:
            self.closing = True
        return data

    @property
    def _wants(self) -> dict[str, str]:
        """The headers that may ask for a part."""
        return self._request.headers if self._request and not self._bodiless else {}

    async def _send_bytes(self, response: Response, body: bytes) -> None:
        if response.etag:
            response, start, stop = response.cut(self._wants, len(body))
            body = body[start:stop]
        head, view = self._head(response, len(body)), memoryview(body)
        size = limits_http.FILE_PIECE_BYTES
        if self._bodiless:
            view = view[:0]
        elif body:
            self._in_hand().send_with_data_passthrough(http_body.unseen(len(body)))
        await self._send(head + view[:size])
        for start in range(size, len(view), size):
            await self._send(view[start : start + size])
        self._end()

    async def _send_file(self, response: Response, body: Path | Patched) -> None:
        try:
            file, size = await trio.to_thread.run_sync(http_body.open_body, body)
        except FileNotFoundError:
            await self._send_bytes(Response(404), b"not found\n")
            return
        try:
            response, start, stop = response.cut(self._wants, size)
            await self._send(self._head(response, stop - start))
            if not self._bodiless:
                await self._send_span(file, start, stop)
            self._end()
        finally:
            file.close()

    async def _send_span(self, file: http_body.File, start: int, stop: int) -> None:
        http_body.prepare_bulk(self.stream)
        self._in_hand().send_with_data_passthrough(http_body.unseen(stop - start))
        pace = Pace()
        while start < stop:
            sent = await self._bounded(
                http_body.send_from_file, self.stream, file, start, stop - start
            )
            if not sent:
                raise OSError(f"{file.name} became shorter while it was sent")
            start += sent
            if not pace.keeps(sent):
                self.lost = True
                raise ConnectionLost("the client takes its answer too slowly")

    async def _send_pieces(self, response: Response, pieces: AsyncIterable[bytes]) -> None:
        await self._send(self._head(response, None))
        if not self._bodiless:
            async for piece in pieces:
                if piece:
                    await self._send(self._in_hand().send(h11.Data(data=piece)))
        await self._send(self._end())
