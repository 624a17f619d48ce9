"""TCP connections that cost less per message and per connection than `trio.SocketStream`.

What is received goes through one buffer that all connections share, so that one which waits holds
none, and small messages make no large blocks of memory come and go: those are mapped and unmapped
by the system, which costs more than the message (measured: a third of a busy server's time).
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Final

import trio

from dc import limits_http as limits

SMALL_BYTES: Final = 4096
"""Sent without giving way to others if the system takes it at once: whoever sends so little has
just been given the turn by others."""

_GONE: Final = (errno.EBADF, errno.ENOTSOCK)


class Buffer:
    """A buffer that many connections receive into, each for a moment.

    With what Python adds to them, the bytes of a full one are still a small block of memory.

    Attributes:
        view: of all of it, for whoever fills it otherwise, and takes out again what it filled in.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(limits.RECEIVE_BYTES - 64))

    def receive(self, sock: socket.socket, most: int = limits.RECEIVE_BYTES) -> bytes:
        """Return what has come, `most` bytes at most; empty at the end.

        Raises:
            BlockingIOError: nothing has come.
            OSError: the connection broke.
        """
        count = sock.recv_into(self.view, min(most, len(self.view)))
        return self.view[:count].tobytes()


class TcpStream(trio.abc.HalfCloseableStream):
    """One TCP connection.

    Args:
        sock: connected; it is this stream's from now on.
        buffer: to receive into.

    Attributes:
        socket: the same.
    """

    __slots__ = ("_buffer", "_ended", "socket")

    def __init__(self, sock: socket.socket, buffer: Buffer) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._buffer = buffer
        self._ended = False

    @classmethod
    def of(cls, stream: trio.SocketStream, buffer: Buffer) -> TcpStream:
        """Take over the connection of a stream that is not to be used any more."""
        raw = stream.socket
        family, kind, proto = raw.family, raw.type, raw.proto
        return cls(socket.socket(family, kind, proto, fileno=raw.detach()), buffer)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it; see trio.abc.SendStream. What is small may go without a checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._ended:
            raise trio.ClosedResourceError("nothing can be sent behind the end")
        sent = self.send_now(data)
        if sent < len(data):
            with memoryview(data) as view:
                while sent < len(view):
                    await trio.lowlevel.wait_writable(self.socket)
                    sent += self.send_now(view[sent:])
        elif sent > SMALL_BYTES:
            await trio.lowlevel.checkpoint()

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Send as much as the system takes at once; return how many bytes that is.

        Raises:
            trio.BrokenResourceError: the connection broke.
            trio.ClosedResourceError: it was closed.
        """
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _translated(error) from error

    async def wait_send_all_might_not_block(self) -> None:
        """See trio.abc.SendStream."""
        await trio.lowlevel.wait_writable(self.socket)

    async def send_eof(self) -> None:
        """Send nothing more; see trio.abc.HalfCloseableStream."""
        await trio.lowlevel.checkpoint()
        if self._ended:
            return
        self._ended = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise _translated(error) from error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come, once there is something; see trio.abc.ReceiveStream."""
        await trio.lowlevel.checkpoint_if_cancelled()
        most = limits.RECEIVE_BYTES if max_bytes is None else max_bytes
        if (data := self.receive_now(most)) is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            if (data := self.receive_now(most)) is not None:
                return data

    def receive_now(self, most: int) -> bytes | None:
        """Return what has come, `most` bytes at most; empty at the end, None if nothing has.

        Raises:
            trio.BrokenResourceError: the connection broke.
            trio.ClosedResourceError: it was closed.
        """
        try:
            return self._buffer.receive(self.socket, most)
        except BlockingIOError:
            return None
        except OSError as error:
            raise _translated(error) from error

    def fileno(self) -> int:
        """Return the descriptor; negative once it is closed."""
        return self.socket.fileno()

    def shut(self) -> None:
        """Break the connection both ways; whoever uses it finds out."""
        with suppress(OSError):  # it is broken already
            self.socket.shutdown(socket.SHUT_RDWR)

    def close_now(self) -> None:
        """Close it; nobody waits for it."""
        self.socket.close()

    async def aclose(self) -> None:
        """Close it; who waits for it gets ClosedResourceError."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()


def _translated(error: OSError) -> Exception:
    """Return the error of a Trio stream for one of a socket."""
    if error.errno in _GONE:
        return trio.ClosedResourceError("this connection was closed")
    return trio.BrokenResourceError(str(error))
