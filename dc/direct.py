"""Bytes straight into a stream, as many as it takes without waiting.

A message that is sent by a task of its own costs two turns of the event loop before its first byte
leaves. Most sockets have room at any time, so the bytes can leave in the very step that made them,
and a task is needed only for what the socket does not take.

A stream can be written to in this way if it is a socket, or if it has a method `send_now` itself,
as those of `dc.testing` have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeAlias

import trio

SendNow: TypeAlias = Callable[[bytes], int]
"""Takes bytes, and returns how many of them are on their way: from none to all.

Raises trio.BrokenResourceError or trio.ClosedResourceError, as a stream's send_all does."""


def send_now_of(stream: trio.abc.Stream) -> SendNow | None:
    """Return how to write to a stream without waiting; None where that cannot be done."""
    own: SendNow | None = getattr(stream, "send_now", None)
    if own is not None:
        return own
    if isinstance(stream, trio.SocketStream) and sys.platform != "win32":
        return _SocketWriter(stream)
    return None


class _SocketWriter:
    """Writes to the socket of a stream, which is not blocking."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream.socket

    def __call__(self, data: bytes) -> int:
        descriptor = self._socket.fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError("the socket is closed")
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
