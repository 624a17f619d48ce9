"""Moves the bytes of bodies between a stream and memory or files, with as few copies as there are.

On a socket bytes are received into the caller's buffer, and files go out by `os.sendfile` where
there is one. Any other Trio stream does the same through its own methods. What touches a disk runs
in a thread. Timeouts are the caller's, and what a stream raises is raised as it is.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

import h11
import trio

from dc import limits

if TYPE_CHECKING:
    from pathlib import Path

    from trio.abc import Stream

CLOSED: Final = (trio.BrokenResourceError, trio.ClosedResourceError)

HAS_SENDFILE: Final = sys.platform == "linux"


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
    if not isinstance(stream, trio.SocketStream):
        piece = await stream.receive_some(len(view))
        view[: len(piece)] = piece
        return len(piece)
    try:
        return await stream.socket.recv_into(view)
    except OSError as error:
        raise trio.BrokenResourceError(str(error)) from error


async def send_from_file(stream: Stream, file: BinaryIO, start: int, size: int) -> int:
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
    if not (HAS_SENDFILE and isinstance(stream, trio.SocketStream)):
        size = min(size, limits.FILE_PIECE_BYTES)
        piece = await trio.to_thread.run_sync(_read, file, start, size)
        if piece:
            await stream.send_all(piece)
        return len(piece)
    size = min(size, limits.SENDFILE_BYTES)
    while True:
        # In a thread, for it waits for the disk; never for the peer, as the socket does not block.
        sent = await trio.to_thread.run_sync(_sendfile, stream.socket, file, start, size)
        if sent is not None:
            return sent
        await trio.lowlevel.wait_writable(stream.socket)


def open_file(path: Path) -> tuple[BinaryIO, int]:
    """Return the open file, positioned at its start, and its size in bytes."""
    file = path.open("rb")
    return file, os.fstat(file.fileno()).st_size


def prepare_bulk(stream: Stream) -> None:
    """Let more than a few kilobytes wait in the system for their turn: a whole body is to be sent.

    Trio keeps that low, so that what is sent last is not stuck behind what nobody needs any more.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.IPPROTO_TCP, option, limits.SENDFILE_BYTES)


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


if sys.platform == "linux":

    def _sendfile(to: trio.socket.SocketType, file: BinaryIO, start: int, size: int) -> int | None:
        """Return how many bytes were sent, None if there is no room for any."""
        try:
            return os.sendfile(to.fileno(), file.fileno(), start, size)
        except BlockingIOError:
            return None
        except (BrokenPipeError, ConnectionResetError) as error:
            raise trio.BrokenResourceError(str(error)) from error
else:

    def _sendfile(to: trio.socket.SocketType, file: BinaryIO, start: int, size: int) -> int | None:
        raise NotImplementedError
