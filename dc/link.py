"""The link: messages over any Trio stream, by WebSocket (RFC 6455). No clock here: a caller who
wants to bound the time of a call puts a cancel scope around it.

The opening handshake (link_open.py) comes first; then both sides have a `Link`.

What holds in a Link
--------------------
- One task receives at a time and one frame is sent at a time; two locks see to it, so any task may
  call anything. A receiver never waits for a sender: a pong or a close answer that finds a sender
  at work is left in `_owed` and sent by that sender behind its frame. Otherwise two sides that both
  send, and only then read, would wait for each other for ever.
- A send that fails or is cancelled may have left half a frame in the stream. The link is then
  broken: nothing is ever sent again, and who tries gets ConnectionLost. A receive that is cancelled
  loses nothing, unless it was just sending an answer, which is a send like any other.
- `send_now` puts a message into the stream without waiting, if nobody else is sending. What the
  stream does not take at once is kept as `_rest`, and goes before anything else that is sent.
- After our close frame nothing is sent; after the peer's nothing is read.
- A receiver that is sending an answer reads nothing meanwhile: a peer that floods us with pings and
  does not read the pongs fills its own side, not our memory.
"""

from __future__ import annotations

import os
from contextlib import suppress

import trio

from dc import _frames, limits, limits_http
from dc.direct import send_now_of
from dc.errors import ConnectionLost, ProtocolError


class Link:
    """Binary messages both ways over a stream.

    Any task may call any method at any time. Who uses a link closes it: with `aclose`, or by
    closing the stream.

    Args:
        stream: behind the opening handshake.
        client: whether this is the client's side, whose frames are masked.
        initial: bytes that the handshake read beyond itself.
        session: a secret that lets in over HTTP for as long as the link is open; empty for none.

    Attributes:
        stream: the same.
        session: the same.
        received_bytes: read from the stream, with all framing.
        sent_bytes: handed to the stream, with all framing.
        close_code: of the peer's close frame (1005 when it had none), 0 while there was none.
        close_reason: of the peer's close frame.
    """

    def __init__(
        self, stream: trio.abc.Stream, *, client: bool, initial: bytes = b"", session: str = ""
    ) -> None:
        self.stream = stream
        self.session = session
        self.received_bytes = len(initial)
        self.sent_bytes = 0
        self._decoder = _frames.FrameDecoder(client=client, limit=limits.MESSAGE_BYTES)
        self._decoder.receive_data(initial)
        self._masks = _Masks() if client else None
        self._reading = trio.Lock()
        self._writing = trio.Lock()
        self._owed: dict[int, bytes] = {}  # frames by opcode: the latest pong, the close
        self._send_now = send_now_of(stream)
        self._rest = b""  # of a message that `send_now` could not get rid of
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
        busy = busy or bool(self._rest)
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
            elif event[0] == _frames.BINARY:
                return event[1]
            else:
                await self._heed(*event)
        return None

    async def _read(self) -> bytes | bytearray:
        try:
            data = await self.stream.receive_some(limits_http.RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost("the connection broke") from error
        if not data:
            raise ConnectionLost("the other side left without closing the link")
        self.received_bytes += len(data)
        return data

    async def _heed(self, opcode: int, payload: bytes) -> None:
        """Do what a frame asks for that is no binary message."""
        if opcode == _frames.TEXT:
            self._text_came = True
        elif opcode == _frames.PING:
            await self._answer(_frames.PONG, payload)
        elif opcode == _frames.CLOSE:
            with suppress(ConnectionLost):  # the peer has said its last word, ours is a courtesy
                await self._answer(_frames.CLOSE, payload[:2])

    # --- sending ----------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send one message. If this fails or is cancelled, the link cannot send any more.

        Args:
            data: MESSAGE_BYTES at most.

        Raises:
            ConnectionLost: the stream broke, an earlier send was cut short, or the link is closing.
            ValueError: the message is too large.
        """
        _check_size(data)
        await trio.lowlevel.checkpoint_if_cancelled()
        await _acquire(self._writing)
        try:
            await self._pay_rest()
            await self._write(_frames.encode_frame(_frames.BINARY, data, self._mask()))
            await self._pay()
        finally:
            self._writing.release()

    @property
    def can_send_now(self) -> bool:
        """Whether `send_now` may be called."""
        return (
            self._send_now is not None
            and not (self._rest or self._owed or self._broken or self._close_sent)
            and not self._writing.locked()
        )

    @property
    def has_rest(self) -> bool:
        """Whether a message that `send_now` began is not all on its way: call `flush`."""
        return bool(self._rest)

    def send_now(self, data: bytes) -> None:
        """Send one message without waiting; only while `can_send_now`. It may leave a rest.

        Args:
            data: MESSAGE_BYTES at most.

        Raises:
            ConnectionLost: the stream broke.
            ValueError: the message is too large.
        """
        assert self._send_now is not None
        _check_size(data)
        frame = _frames.encode_frame(_frames.BINARY, data, self._mask())
        self._broken = True
        try:
            sent = self._send_now(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost("the connection broke") from error
        self._broken = False
        self.sent_bytes += sent
        self._rest = frame[sent:]

    async def flush(self) -> None:
        """Send what is left of a message that `send_now` began; raises as `send`."""
        await _acquire(self._writing)
        try:
            await self._pay_rest()
            await self._pay()
        finally:
            self._writing.release()

    async def _pay_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            await self._write(rest)

    async def _answer(self, opcode: int, payload: bytes) -> None:
        """Send a control frame, or leave it to the sender that is at work."""
        self._owed[opcode] = _frames.encode_frame(opcode, payload, self._mask())
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
        await self._pay_rest()
        while self._owed and not self._close_sent and not self._broken:
            opcode, frame = self._owed.popitem()
            await self._write(frame, closing=opcode == _frames.CLOSE)

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
        frame = _frames.encode_close(code, reason, self._mask())
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
                await self._pay_rest()
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


def _check_size(data: bytes) -> None:
    if len(data) > limits.MESSAGE_BYTES:
        raise ValueError(f"a message has {len(data)} bytes; {limits.MESSAGE_BYTES} at most")


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
