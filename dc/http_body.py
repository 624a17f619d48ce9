"""Moves the bytes of bodies between a stream and memory or files, with as few copies as there are.

How it works:
- What flows comes in many small pieces, and a turn of the loop for each of them costs more than the
  piece. So a thread takes what comes over a socket as long as there is no pause, and hands it on
  while it is in the processor's cache; the loop waits for what is slow, and it alone. The thread
  has a descriptor of its own: the stream may be closed meanwhile.
- Files go out by `os.sendfile` where there is one. Over TLS such a thread decrypts and encrypts as
  well: see dc/http_cipher.py.
- These threads are of a number of their own: who trickles bodies into many connections has other
  bodies wait, and not the store, a backup or a name that is being looked up.
- Any other Trio stream does the same through its own methods.
- Timeouts are the caller's, and what a stream raises is raised as it is. A move that is cancelled
  ends first, which takes MOVE_PAUSE_SECONDS beyond what flows.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar, TypeVarTuple, cast

import h11
import trio

from dc import http_cipher
from dc import limits_http as limits
from dc.http_patched import Patched, PatchedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.abc import Stream

    Sink = Callable[[memoryview], object]
    Socket = trio.socket.SocketType | socket.socket
    File = BinaryIO | PatchedFile
    Fill = Callable[[int, memoryview, float], tuple[int, bool]]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_movers: Final = trio.lowlevel.RunVar[trio.CapacityLimiter]("movers of bodies")
"""Which threads may move bodies, of the Trio run."""

CLOSED: Final = (trio.BrokenResourceError, trio.ClosedResourceError)

HAS_DESCRIPTORS: Final = sys.platform != "win32"
NO_DESCRIPTORS: Final = "sockets are no files there: see HAS_DESCRIPTORS"
HAS_SENDFILE: Final = sys.platform == "linux"

_OF_FILES: Final = (errno.EIO, errno.EISDIR, errno.ESTALE, errno.EINVAL, errno.ENOSYS)
"""What sendfile says of the file; all else is of the connection."""


class _Span:
    """So many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size


def unseen(size: int) -> h11.Data:
    """Return so many bytes of a body, sent by other means, as the event that has h11 count them."""
    return h11.Data(data=_Span(size))  # type: ignore[arg-type]


async def receive_into(stream: Stream, view: memoryview) -> int:
    """Receive some bytes into a buffer, not empty; return how many, 0 at the end of the stream.

    Raises:
        BrokenResourceError: the connection broke.
        ClosedResourceError: it was closed here.
    """
    sock = _socket_of(stream)
    if sock is None:
        piece = await stream.receive_some(min(len(view), limits.RECEIVE_BYTES))
        got = len(piece)
        view[:got] = piece
    else:
        got = await _receive(sock, view)
    if got > 0 and len(view) - got > limits.HAND_ON_BYTES:
        got += await _receive_more(stream, view[got : got + limits.MOVE_BYTES])
    return got


async def _receive_more(stream: Stream, view: memoryview) -> int:
    """Receive what flows into a buffer, in a thread; return how many bytes, if only 0."""
    sock = _socket_of(stream)
    if sock is not None:
        return (await _in_thread(sock, _receive_some, view, _receive_all))[0]
    if (ciphered := _ciphered(stream)) is not None:
        below, lender = ciphered
        with lender.lent() as cipher:
            fill = partial(http_cipher.decrypt_all, cipher)
            return (await _in_thread(below, _receive_some, view, fill))[0]
    return 0


async def _receive(sock: Socket, view: memoryview) -> int:
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    await trio.lowlevel.checkpoint()
    while True:
        _check_open(sock)
        try:
            return os.readv(sock.fileno(), [view])
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error


async def receive_to(stream: Stream, size: int, sink: Sink, held: bytes = b"") -> int:
    """Receive some bytes and give them to a sink, in a thread; what that raises is raised here.

    Args:
        stream: where from.
        size: how many at most.
        sink: takes bytes in a buffer that is used again afterwards.
        held: bytes that were received before; the sink gets them first.

    Returns:
        How many, without those; 0 at the end of the stream.

    Raises:
        BrokenResourceError: the connection broke.
        ClosedResourceError: it was closed here.
    """
    if (ciphered := _ciphered(stream)) is not None:
        return await _decrypt_to(*ciphered, min(size, limits.MOVE_BYTES), sink, held)
    sock = _socket_of(stream)
    if sock is None:
        piece = await stream.receive_some(min(size, limits.RECEIVE_BYTES))
        for one in (held, piece):
            if one:
                await _run(sink, memoryview(one))
        return len(piece)
    how = min(size, limits.MOVE_BYTES), sink, _receive_all
    while True:
        _check_open(sock)
        await trio.lowlevel.wait_readable(sock)
        got = await _in_thread(sock, _receive_to, *how, held)
        if got is not None:
            return got
        held = b""


async def _decrypt_to(
    sock: Socket, stream: http_cipher.Ciphered, size: int, sink: Sink, held: bytes
) -> int:
    """Do the same over TLS, of which something may have been received before."""
    waits = not stream.cipher.holds
    while True:
        _check_open(sock)
        if waits:
            await trio.lowlevel.wait_readable(sock)
        with stream.lent() as cipher:
            fill = partial(http_cipher.decrypt_all, cipher)
            got = await _in_thread(sock, _receive_to, size, sink, fill, held)
        if got is not None:
            return got
        held, waits = b"", True


async def send_from_file(stream: Stream, file: File, start: int, size: int) -> int:
    """Send some bytes of a file; return how many, 0 if it ends before `start`.

    Args:
        stream: where to.
        file: open for reading; its position counts for nothing.
        start: of the bytes in the file.
        size: how many at most.

    Raises:
        OSError: the file cannot be read.
        BrokenResourceError: the connection broke.
        ClosedResourceError: it was closed here.
    """
    if isinstance(file, PatchedFile):
        data, size = file.next(start, size)
        if data:
            await stream.send_all(data)
            return len(data)
        file = file.file
    if (ciphered := _ciphered(stream)) is not None:
        return await _encrypt_from(*ciphered, file, start, min(size, limits.MOVE_BYTES))
    sock = _socket_of(stream)
    if sock is None or not HAS_SENDFILE:
        size = min(size, limits.FILE_PIECE_BYTES)
        piece = await _run(_read, file, start, size)
        if piece:
            await stream.send_all(piece)
        return len(piece)
    span = file.fileno(), start, min(size, limits.MOVE_BYTES)
    while (sent := await _in_thread(sock, _send_span, *span)) is None:
        _check_open(sock)
        await trio.lowlevel.wait_writable(sock)
    return sent


async def _encrypt_from(
    sock: Socket, stream: http_cipher.Ciphered, file: BinaryIO, start: int, size: int
) -> int:
    """Do the same over TLS."""
    await stream.settle()
    span = file.fileno(), start, size
    with stream.lent() as cipher:
        sent, left = await _in_thread(sock, http_cipher.encrypt_span, cipher, *span)
    stream.leave(left)
    await stream.settle()
    return sent


def open_file(path: Path) -> tuple[BinaryIO, int]:
    """Return the open file, positioned at its start, and its size in bytes."""
    file = path.open("rb")
    return file, os.fstat(file.fileno()).st_size


def open_body(body: Path | Patched) -> tuple[File, int]:
    """Return the open file that is a body, and its size in bytes."""
    if isinstance(body, Path):
        return open_file(body)
    file = body.open()
    return file, os.fstat(file.fileno()).st_size


def prepare_bulk(stream: Stream) -> None:
    """Let more than a few kilobytes wait in the system for their turn: a whole body is to be sent.

    Trio keeps that low, so that what is sent last is not stuck behind what nobody needs any more.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    ciphered = _ciphered(stream)
    sock = ciphered[0] if ciphered is not None else _socket_of(stream)
    if option is not None and sock is not None:
        with suppress(OSError):  # no TCP
            sock.setsockopt(socket.IPPROTO_TCP, option, limits.UNSENT_BYTES)


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _socket_of(stream: Stream) -> Socket | None:
    """Return the socket of a stream that has one, where sockets have descriptors."""
    return getattr(stream, "socket", None) if HAS_DESCRIPTORS else None


def _ciphered(stream: Stream) -> tuple[Socket, http_cipher.Ciphered] | None:
    """Return the socket below TLS and the stream, where a thread can use both."""
    below: http_cipher.Below | None = getattr(stream, "below", None)
    if below is None or not HAS_DESCRIPTORS:
        return None
    return below.socket, cast("http_cipher.Ciphered", stream)


async def _run(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Have a thread of the movers do some work."""
    try:
        limiter = _movers.get()
    except LookupError:
        limiter = trio.CapacityLimiter(limits.MOVERS)
        _movers.set(limiter)
    return await trio.to_thread.run_sync(work, *arguments, limiter=limiter)


async def _in_thread(sock: Socket, work: Callable[[int, *Ts], T], *arguments: *Ts) -> T:
    """Have a thread work with the socket's descriptor."""
    _check_open(sock)
    descriptor = os.dup(sock.fileno())
    try:
        return await _run(work, descriptor, *arguments)
    finally:
        os.close(descriptor)


def _check_open(sock: Socket) -> None:
    if sock.fileno() < 0:
        raise trio.ClosedResourceError("the connection was closed here")


def _receive_to(descriptor: int, size: int, sink: Sink, fill: Fill, held: bytes) -> int | None:
    """Hand on bytes as long as they flow; return how many, None for none, 0 at the end."""
    if held:
        sink(memoryview(held))
    buffer = memoryview(bytearray(min(size, limits.HAND_ON_BYTES)))
    done, until = 0, time.monotonic() + limits.MOVE_SECONDS
    while done < size:
        view = buffer[: size - done]
        at, ended = fill(descriptor, view, until)
        if at:
            sink(view[:at])
            done += at
        if at < len(view):
            return done if done or ended else None
    return done


def _receive_some(descriptor: int, view: memoryview, fill: Fill) -> tuple[int, bool]:
    return fill(descriptor, view, time.monotonic() + limits.MOVE_SECONDS)


def _receive_all(descriptor: int, view: memoryview, until: float) -> tuple[int, bool]:
    """Receive as long as bytes flow, until a time; return how many, and whether it has ended."""
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    at = 0
    while at < len(view) and time.monotonic() < until:
        try:
            got = os.readv(descriptor, [view[at:]])
        except BlockingIOError:
            if not http_cipher.is_ready(descriptor, select.POLLIN):
                break
            continue
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
        if not got:
            return at, True
        at += got
    return at, False


def _send_span(descriptor: int, file: int, start: int, size: int) -> int | None:
    """Send of a file as long as bytes flow; return how many, None for none, 0 at the file's end."""
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    sent, until = 0, time.monotonic() + limits.MOVE_SECONDS
    while sent < size and time.monotonic() < until:
        try:
            more = os.sendfile(descriptor, file, start + sent, size - sent)
        except BlockingIOError:
            if not http_cipher.is_ready(descriptor, select.POLLOUT):
                return sent or None
            continue
        except OSError as error:
            if error.errno in _OF_FILES:
                raise
            raise trio.BrokenResourceError(str(error)) from error
        if not more:
            return sent
        sent += more
    return sent or None
