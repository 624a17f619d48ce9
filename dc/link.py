"""The link: messages over any Trio stream, by WebSocket (RFC 6455). No clock here: a caller who
wants to bound the time of a call puts a cancel scope around it.

The opening handshake comes first: `check_upgrade` judges a request at the server, whose HTTP layer
reads and answers it; `connect` is the client's whole side. Then both have a `Link`.

What holds in a Link
--------------------
- One task receives at a time and one frame is sent at a time; two locks see to it, so any task may
  call anything. A receiver never waits for a sender: a pong or a close answer that finds a sender
  at work is left in `_owed` and sent by that sender behind its frame. Otherwise two sides that both
  send, and only then read, would wait for each other for ever.
- A send that fails or is cancelled may have left half a frame in the stream. The link is then
  broken: nothing is ever sent again, and who tries gets ConnectionLost. A receive that is cancelled
  loses nothing, unless it was just sending an answer, which is a send like any other.
- After our close frame nothing is sent; after the peer's nothing is read.
- A receiver that is sending an answer reads nothing meanwhile: a peer that floods us with pings and
  does not read the pongs fills its own side, not our memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import h11
import trio

from dc import _core, limits
from dc.errors import ConnectionLost, ProtocolError, VersionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import trio.abc

SUBPROTOCOL: Final = "dc.v1"

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_VERSION: Final = "13"


# --- the opening handshake ------------------------------------------------------------------------


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that proves that a server understood this key.

    Args:
        key: the request's Sec-WebSocket-Key.
    """
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def check_upgrade(method: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Judge a client's request for the socket.

    Args:
        method: of the request.
        headers: of the request, names in lower case.

    Returns:
        The headers of the answer 101.

    Raises:
        ProtocolError: the request is none; `status` is 400, or 426 for one that does not ask for
            version 13 of the WebSocket (answer it with the header `Sec-WebSocket-Version: 13`), or
            403 for one from another site's page.
    """
    if "websocket" not in _tokens(headers, "upgrade") or method != "GET":
        raise ProtocolError("this address wants a GET that upgrades to websocket", status=426)
    if "upgrade" not in _tokens(headers, "connection"):
        raise ProtocolError("the header Connection does not say Upgrade")
    if headers.get("sec-websocket-version", "").strip() != _VERSION:
        raise ProtocolError(f"only version {_VERSION} of the WebSocket is spoken", status=426)
    key = headers.get("sec-websocket-key", "").strip()
    if not _is_key(key):
        raise ProtocolError("the header Sec-WebSocket-Key is not 16 bytes in base 64")
    if SUBPROTOCOL not in _tokens(headers, "sec-websocket-protocol"):
        raise ProtocolError(f"the only subprotocol here is {SUBPROTOCOL}; the client offers none")
    check_origin(headers)
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(key)),
        ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse a browser that shows a page of another site.

    Browsers let any page open a socket to any address, this computer's own included; they only tell
    where the page is from. Programs that are no browsers send no Origin.

    Raises:
        ProtocolError: with status 403.
    """
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise ProtocolError(f"a page of {origin} may not do this here", status=403)


def _tokens(headers: Mapping[str, str], name: str) -> list[str]:
    """Return the members of a header that is a list, in lower case."""
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


async def connect(stream: trio.abc.Stream, host: str, path: str) -> Link:
    """Open a link at the client's end of a fresh stream. After an error the caller closes it.

    Args:
        stream: connected to the server; nothing was sent on it yet.
        host: for the header Host, with the port if it is not the scheme's own.
        path: what to ask for, as in `/socket`.

    Raises:
        ConnectionLost: the stream broke, or the server answered with another status than 101.
        VersionError: the server does not speak dc.v1.
        ProtocolError: what answered is no WebSocket server.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEAD_BYTES)
    headers = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", _VERSION),
        ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]
    request = http.send(h11.Request(method="GET", target=path, headers=headers))
    request += http.send(h11.EndOfMessage()) or b""
    try:
        await stream.send_all(request)
        answer = await _answer(stream, http)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectionLost("the connection broke while the socket was being opened") from error
    except h11.RemoteProtocolError as error:
        raise ProtocolError(f"what answered does not speak HTTP: {error}") from error
    _check_answer(answer, key)
    return Link(stream, client=True, initial=http.trailing_data[0])


async def _answer(
    stream: trio.abc.ReceiveStream, http: h11.Connection
) -> h11.InformationalResponse | h11.Response:
    """Return the head that answers the request: 101, or anything that is final."""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            data = await stream.receive_some(limits.RECEIVE_BYTES)
            if not data:
                raise ConnectionLost("the server closed the connection instead of answering")
            http.receive_data(bytes(data))
        elif isinstance(event, h11.InformationalResponse | h11.Response) and (
            event.status_code == 101 or event.status_code >= 200
        ):
            return event


def _check_answer(answer: h11.InformationalResponse | h11.Response, key: str) -> None:
    """Judge the server's answer to the upgrade."""
    status = answer.status_code
    if status == 426:
        raise VersionError("the server asks for another version of the protocol: update one side")
    if status != 101:
        said = f"{status} {answer.reason.decode('latin-1')}".strip()
        raise ConnectionLost(f"the server answered {said} instead of opening the socket")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    if "websocket" not in _tokens(headers, "upgrade"):
        raise ProtocolError("the server switched to another protocol than websocket")
    if "upgrade" not in _tokens(headers, "connection"):
        raise ProtocolError("the server's answer has no Connection: Upgrade")
    if headers.get("sec-websocket-accept") != accept_key(key):
        raise ProtocolError("the server's answer does not belong to our key")
    if "sec-websocket-extensions" in headers:
        raise ProtocolError("the server uses an extension that was not asked for")
    if headers.get("sec-websocket-protocol") != SUBPROTOCOL:
        raise VersionError(f"the server does not speak {SUBPROTOCOL}: update the older side")


# --- the link -------------------------------------------------------------------------------------


class Link:
    """Binary messages both ways over a stream.

    Any task may call any method at any time. Who uses a link closes it: with `aclose`, or by
    closing the stream.

    Args:
        stream: behind the opening handshake.
        client: whether this is the client's side, whose frames are masked.
        initial: bytes that the handshake read beyond itself.

    Attributes:
        stream: the same.
        received_bytes: read from the stream, with all framing.
        sent_bytes: handed to the stream, with all framing.
        close_code: of the peer's close frame (1005 when it had none), 0 while there was none.
        close_reason: of the peer's close frame.
    """

    def __init__(self, stream: trio.abc.Stream, *, client: bool, initial: bytes = b"") -> None:
        self.stream = stream
        self.received_bytes = len(initial)
        self.sent_bytes = 0
        self._decoder = _core.FrameDecoder(client=client, limit=limits.MESSAGE_BYTES)
        self._decoder.receive_data(initial)
        self._masks = _Masks() if client else None
        self._reading = trio.Lock()
        self._writing = trio.Lock()
        self._owed: dict[int, bytes] = {}  # frames by opcode: the latest pong, the close
        self._close_sent = False
        self._broken = False  # also while a frame is on its way into the stream
        self._text_came = False

    @property
    def close_code(self) -> int:
        """The code of the peer's close frame; 1005 when it had none, 0 before it came."""
        return self._decoder.close_code

    @property
    def close_reason(self) -> str:
        """The reason of the peer's close frame, for a log."""
        return self._decoder.close_reason

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way, either way, and another link may go on over the stream."""
        busy = self._reading.locked() or self._writing.locked() or self._owed or self._text_came
        over = self._broken or self._close_sent or self._decoder.closed
        return not (busy or over) and self._decoder.at_rest

    # --- receiving --------------------------------------------------------------------------------

    async def receive(self) -> bytes | None:
        """Return the next message, or None once the peer has closed the link (see close_code).

        Pings and the peer's close are answered on the way. A cancelled call loses no message.

        Raises:
            ProtocolError: the peer broke the rules; every later call raises the same. Close the
                link with the error's close_code.
            ConnectionLost: the stream broke, or ended without a close.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        await _acquire(self._reading)
        before = self.received_bytes
        try:
            message = await self._next_message()
        finally:
            self._reading.release()
        if self.received_bytes == before:  # nothing was waited for: let others have their turn
            await trio.lowlevel.cancel_shielded_checkpoint()
        return message

    async def _next_message(self) -> bytes | None:
        while not self._decoder.closed:
            if self._text_came:
                raise ProtocolError("a text message came; dc speaks binary", close_code=1003)
            event = self._decoder.next_event()
            if event is None:
                self._decoder.receive_data(await self._read())
            elif event[0] == _core.BINARY:
                return event[1]
            else:
                await self._heed(*event)
        return None

    async def _read(self) -> bytes | bytearray:
        try:
            data = await self.stream.receive_some(limits.RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost("the connection broke") from error
        if not data:
            raise ConnectionLost("the other side left without closing the link")
        self.received_bytes += len(data)
        return data

    async def _heed(self, opcode: int, payload: bytes) -> None:
        """Do what a frame asks for that is no binary message."""
        if opcode == _core.TEXT:
            self._text_came = True
        elif opcode == _core.PING:
            await self._answer(_core.PONG, payload)
        elif opcode == _core.CLOSE:
            with suppress(ConnectionLost):  # the peer has said its last word, ours is a courtesy
                await self._answer(_core.CLOSE, payload[:2])

    # --- sending ----------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send one message. If this fails or is cancelled, the link cannot send any more.

        Args:
            data: MESSAGE_BYTES at most.

        Raises:
            ConnectionLost: the stream broke, an earlier send was cut short, or the link is closing.
            ValueError: the message is too large.
        """
        if len(data) > limits.MESSAGE_BYTES:
            raise ValueError(f"a message has {len(data)} bytes; {limits.MESSAGE_BYTES} at most")
        await trio.lowlevel.checkpoint_if_cancelled()
        await _acquire(self._writing)
        try:
            await self._write(_core.encode_frame(_core.BINARY, data, self._mask()))
            await self._pay()
        finally:
            self._writing.release()

    async def _answer(self, opcode: int, payload: bytes) -> None:
        """Send a control frame, or leave it to the sender that is at work."""
        self._owed[opcode] = _core.encode_frame(opcode, payload, self._mask())
        try:
            self._writing.acquire_nowait()
        except trio.WouldBlock:
            return
        try:
            await self._pay()
        finally:
            self._writing.release()

    async def _pay(self) -> None:
        """Send what a receiver owes the peer; the caller holds the lock."""
        while self._owed and not self._close_sent and not self._broken:
            opcode, frame = self._owed.popitem()
            await self._write(frame, closing=opcode == _core.CLOSE)

    async def _write(self, frame: bytes, *, closing: bool = False) -> None:
        """Send a frame; the caller holds the lock. Unless all of it is sent, the link is broken."""
        if self._close_sent:
            raise ConnectionLost("the link is closing")
        if self._broken:
            raise ConnectionLost("an earlier message was cut short")
        self._close_sent = closing
        self._broken = True
        try:
            await self.stream.send_all(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost("the connection broke") from error
        self._broken = False
        self.sent_bytes += len(frame)

    def _mask(self) -> bytes | None:
        return None if self._masks is None else self._masks.next()

    # --- closing ----------------------------------------------------------------------------------

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, wait for the peer to do so, and close the stream.

        Messages that still come may be dropped. A peer may take for ever: bound the time. The
        stream is closed in any case, also when this is cancelled.

        Args:
            code: why, as RFC 6455, section 7.4, numbers it.
            reason: for the peer's log; cut to 123 bytes.

        Raises:
            ValueError: the code may not be sent.
        """
        frame = _core.encode_close(code, reason, self._mask())
        try:
            await self._send_close(frame)
            await self._await_close()
        except ConnectionLost:
            pass  # nobody is left to say goodbye to
        finally:
            with suppress(trio.BrokenResourceError):  # it is closed all the same
                await self.stream.aclose()

    async def _send_close(self, frame: bytes) -> None:
        await _acquire(self._writing)
        try:
            if not self._close_sent:
                await self._write(frame, closing=True)
        finally:
            self._writing.release()

    async def _await_close(self) -> None:
        try:
            while await self.receive() is not None:
                pass
        except ProtocolError:
            # To close a socket with unread bytes resets it, and the peer may lose our close frame.
            await self._send_end()
            await _acquire(self._reading)
            try:
                while True:
                    await self._read()
            finally:
                self._reading.release()

    async def _send_end(self) -> None:
        """Let the peer see the stream's end behind our close frame, which is all it waits for."""
        if isinstance(self.stream, trio.abc.HalfCloseableStream):
            await _acquire(self._writing)
            try:
                await self.stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionLost("the connection broke") from error
            finally:
                self._writing.release()


async def _acquire(lock: trio.Lock) -> None:
    """Take a lock, without a turn of the loop if it is free; the caller has other checkpoints."""
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        await lock.acquire()


class _Masks:
    """Mask keys from the system's random source, fetched by the block (RFC 6455, section 10.3)."""

    def __init__(self) -> None:
        self._block = b""
        self._at = 0

    def next(self) -> bytes:
        """Return four bytes that nobody can foresee."""
        if self._at == len(self._block):
            self._block = os.urandom(limits.MASK_BLOCK_BYTES)
            self._at = 0
        self._at += 4
        return self._block[self._at - 4 : self._at]
