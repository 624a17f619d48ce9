"""TLS over another stream, at little cost for each message and each connection.

What holds in a TlsStream
-------------------------
- What was encrypted is sent in the order in which it was: TLS counts. `_unsent` is what waits.
- `send_now` and `send_all` encrypt a piece and then send it. If the system does not take all of
  it, the piece counts as not taken, and `_ahead` says how many of the bytes that the caller comes
  with next have been encrypted already. So whoever sends goes on with what was not taken, as a
  Link does, or sends nothing more.
- A send that was cancelled may have sent half a record: nothing can follow it.
- While a thread moves a body (`is_lent`), nobody else may use the stream, but close it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import trio

from dc import limits_access, limits_http
from dc.cipher import Cipher
from dc.sockets import SMALL_BYTES, Buffer, TcpStream

CLOSED: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


class TlsStream(trio.abc.HalfCloseableStream):
    """One connection, encrypted. Call `shake_hands` first.

    Args:
        stream: the connection; it is this stream's from now on.
        context: with the certificate of a server, or what a client believes.
        buffer: to decrypt into; streams may share it.
        server: whether this is the server's side.
        name: that a client asks for, and verifies if its context says so.

    Attributes:
        stream: as given.
        cipher: what is said and what is meant by it.
        is_lent: whether a thread uses the cipher.
    """

    __slots__ = (
        "_ahead",
        "_buffer",
        "_closed",
        "_ended",
        "_flushing",
        "_put",
        "_unsent",
        "cipher",
        "is_lent",
        "stream",
    )

    def __init__(
        self,
        stream: trio.abc.Stream,
        context: ssl.SSLContext,
        buffer: Buffer,
        *,
        server: bool,
        name: str | None = None,
    ) -> None:
        self.stream = stream
        self.cipher = Cipher(context, server=server, name=name)
        self.is_lent = False
        self._buffer = buffer
        self._put: Callable[[bytes], int] | None = getattr(stream, "send_now", None)
        self._unsent = b""
        self._ahead = 0
        self._flushing = False  # also for ever behind a flush that was cancelled
        self._ended = self._closed = False

    async def shake_hands(self, first: bytes = b"") -> None:
        """Agree on keys with the peer. No clock here: the caller bounds the time.

        Args:
            first: what was received of it already.

        Raises:
            trio.BrokenResourceError: the peer speaks no TLS that is good enough, or left; the cause
                is the ssl.SSLError, if it is one.
        """
        data, size = first, len(first)
        while True:
            if data:
                self.cipher.take(data)
            try:
                done = self.cipher.shake()
            finally:
                if output := self.cipher.output():
                    await self.stream.send_all(output)
            if done:  # what a quick peer has said behind it is kept
                return
            data = bytes(await self.stream.receive_some(limits_http.RECEIVE_BYTES))
            if not data or size > limits_access.HANDSHAKE_BYTES:
                raise trio.BrokenResourceError("TLS: the handshake was broken off")
            size += len(data)

    # --- sending --------------------------------------------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it; see trio.abc.SendStream. What is small may go without a checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._flushing:
            raise trio.BusyResourceError("another task is sending, or was broken off in a send")
        at = self.send_now(data)
        if at == len(data):
            if at > SMALL_BYTES:
                await trio.lowlevel.checkpoint()
            return
        with memoryview(data) as view:
            while at < len(view):
                await self._flush()
                at += self.send_now(view[at:])

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Send as much as the system takes at once; return how many bytes that is.

        What was not taken has to be sent next, or nothing.

        Raises:
            trio.BrokenResourceError: the connection broke.
            trio.ClosedResourceError: it was closed.
        """
        self._check_sending()
        if self._flushing or not self._pushed():
            return 0
        at = min(self._ahead, len(data))
        self._ahead -= at
        with memoryview(data) as view:
            while at < len(view):
                piece = view[at : at + limits_access.TLS_PIECE_BYTES]
                self._unsent += self.cipher.encrypt(piece)
                if not self._pushed():
                    self._ahead = len(piece)
                    break
                at += len(piece)
        return at

    def _check_sending(self) -> None:
        if self._ended:
            raise trio.ClosedResourceError("nothing can be sent behind the end")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this connection was closed")
        if self.is_lent:
            raise trio.BusyResourceError("a body is being moved")

    def _pushed(self) -> bool:
        """Send what waits, as far as the system takes it; return whether nothing is left."""
        if self._unsent and self._put is not None:
            self._unsent = self._unsent[self._put(self._unsent) :]
        return not self._unsent

    async def _flush(self) -> None:
        """Send what waits, and what comes to it meanwhile."""
        self._flushing = True
        while self._unsent:
            waiting, self._unsent = self._unsent, b""
            try:
                await self.stream.send_all(waiting)
            except CLOSED:  # as it will be for all who try: see trio.abc.SendStream
                self._unsent, self._flushing = waiting, False
                raise
        self._flushing = False

    async def wait_send_all_might_not_block(self) -> None:
        """See trio.abc.SendStream."""
        await self.stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Send nothing more; see trio.abc.HalfCloseableStream."""
        await trio.lowlevel.checkpoint()
        if self._ended:
            return
        self._check_sending()
        if self._flushing:
            raise trio.BusyResourceError("another task is sending, or was broken off in a send")
        self._unsent += self.cipher.end()
        self._ended = True
        await self._flush()
        if isinstance(self.stream, trio.abc.HalfCloseableStream):
            await self.stream.send_eof()

    # --- receiving ------------------------------------------------------------------------------

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come, once there is something; see trio.abc.ReceiveStream."""
        await trio.lowlevel.checkpoint_if_cancelled()
        most = limits_http.RECEIVE_BYTES if max_bytes is None else max_bytes
        if (data := self._decrypt(most)) is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while True:
            self.cipher.take(bytes(await self.stream.receive_some(limits_http.RECEIVE_BYTES)))
            if (data := self._decrypt(most)) is not None:
                return data

    def receive_now(self, most: int) -> bytes | None:
        """Return what has come; empty at the end, None if nothing has. Only over a TcpStream.

        Raises:
            trio.BrokenResourceError: the connection broke.
            trio.ClosedResourceError: it was closed.
        """
        if (data := self._decrypt(most)) is not None:
            return data
        assert isinstance(self.stream, TcpStream)
        received = self.stream.receive_now(limits_http.RECEIVE_BYTES)
        if received is None:
            return None
        self.cipher.take(received)
        return self._decrypt(most)

    def _decrypt(self, most: int) -> bytes | None:
        self._check_open()
        view = self._buffer.view
        count = self.cipher.decrypt_into(view[: min(most, len(view))])
        if output := self.cipher.output():
            self._say(output)
        return None if count is None else view[:count].tobytes()

    def _say(self, output: bytes) -> None:
        """Send what TLS answers by itself, before anything else or with what is sent next."""
        self._unsent += output
        if len(self._unsent) > limits_access.TLS_OWED_BYTES + limits_access.TLS_PIECE_BYTES * 2:
            raise trio.BrokenResourceError("TLS: the peer takes none of the answers it asks for")
        if not self._flushing:
            with suppress(*CLOSED):  # what came before is read all the same
                self._pushed()

    # --- all of it ------------------------------------------------------------------------------

    @property
    def below(self) -> TcpStream | None:
        """The connection, if it is one over TCP: a thread can use it, with the cipher."""
        return self.stream if isinstance(self.stream, TcpStream) else None

    @property
    def is_busy(self) -> bool:
        """Whether something of it is under way: to be sent, or decrypted and not taken."""
        return bool(self.is_lent or self._flushing or self._unsent or self.cipher.holds)

    @contextmanager
    def lent(self) -> Iterator[Cipher]:
        """Lend the cipher to a thread. What it could not send, it gives to `leave`."""
        self._check_open()
        self.is_lent, self.cipher.piece_bytes = True, limits_access.TLS_PIECE_BYTES
        try:
            yield self.cipher
        finally:
            self.is_lent = False

    def leave(self, encrypted: bytes) -> None:
        """Take what a thread has encrypted, and could not send."""
        self._unsent += encrypted

    async def settle(self) -> None:
        """Send what waits, before the cipher is lent to somebody who sends, and after."""
        self._check_sending()
        if self._flushing:
            raise trio.BusyResourceError("another task is sending, or was broken off in a send")
        await self._flush()

    def fileno(self) -> int:
        """Return the descriptor; negative once it is closed. Only over a TcpStream."""
        assert isinstance(self.stream, TcpStream)
        return self.stream.fileno()

    def shut(self) -> None:
        """Break the connection both ways. Only over a TcpStream."""
        assert isinstance(self.stream, TcpStream)
        self.stream.shut()

    def close_now(self) -> None:
        """Close it without a word. Only over a TcpStream."""
        assert isinstance(self.stream, TcpStream)
        self._closed = True
        self.stream.close_now()

    async def aclose(self) -> None:
        """Close it; who waits for it gets ClosedResourceError. The peer is told, if it can be."""
        if not self._closed:
            quiet = not (self.is_lent or self._flushing or self._unsent or self._ended)
            self._closed = True
            if quiet and self._put is not None:
                with suppress(*CLOSED):
                    self._put(self.cipher.end())
        await self.stream.aclose()
