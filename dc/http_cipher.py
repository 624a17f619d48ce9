"""Bodies through TLS, in a thread: what flows is read and decrypted, or encrypted and sent, there.

See dc/http_body.py, which does the same with what is not encrypted.
"""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol

import trio

from dc import limits_access, limits_http

if TYPE_CHECKING:
    import socket

NO_DESCRIPTORS: Final = "sockets are no files there: see dc.http_body.HAS_DESCRIPTORS"


class Cipher(Protocol):
    """What is used here of a dc.cipher.Cipher."""

    @property
    def holds(self) -> bool:
        """Whether it has taken something that it has not returned."""

    def take(self, data: memoryview) -> None:
        """Take what was received; empty for the end of the stream."""

    def decrypt_into(self, view: memoryview) -> int | None:
        """Put what came into a buffer; return how much, 0 at the end, None for none so far."""

    def records(self, data: memoryview) -> list[bytes]:
        """Return what is to be sent for these bytes."""


class Below(Protocol):
    """What is used here of the TCP connection below."""

    @property
    def socket(self) -> socket.socket:
        """It is not blocking."""


class Ciphered(Protocol):
    """What is used here of a dc.tls_stream.TlsStream."""

    @property
    def cipher(self) -> Cipher:
        """To be looked at, unless it is lent."""

    @property
    def below(self) -> Below | None:
        """The TCP connection, if it is one."""

    def lent(self) -> AbstractContextManager[Cipher]:
        """Lend the cipher to a thread."""

    def leave(self, encrypted: bytes) -> None:
        """Take what could not be sent."""

    async def settle(self) -> None:
        """Send what waits."""


def decrypt_all(
    cipher: Cipher, descriptor: int, view: memoryview, until: float
) -> tuple[int, bool]:
    """Receive as long as bytes flow, until a time; return how many, and whether it has ended."""
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    at, buffer = 0, memoryview(bytearray(limits_http.RECEIVE_BYTES - 64))
    while at < len(view):
        got = cipher.decrypt_into(view[at:])
        if got is not None:
            at += got
            if not got:
                return at, True
            continue
        if time.monotonic() >= until:  # what is whole has been given: no more may come behind it
            break
        try:
            cipher.take(buffer[: os.readv(descriptor, [buffer])])
        except BlockingIOError:
            if not is_ready(descriptor, select.POLLIN):
                break
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
    return at, False


def encrypt_span(
    descriptor: int, cipher: Cipher, file: int, start: int, size: int
) -> tuple[int, bytes]:
    """Send of a file as long as bytes flow.

    Returns:
        How many of its bytes were encrypted, 0 at its end; and what of that could not be sent.
    """
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    sent, until = 0, time.monotonic() + limits_http.MOVE_SECONDS
    buffer = memoryview(bytearray(limits_access.TLS_PIECE_BYTES))
    while sent < size and time.monotonic() < until:
        got = os.preadv(file, [buffer[: size - sent]], start + sent)
        if not got:
            break
        sent += got
        if left := _write(descriptor, cipher.records(buffer[:got])):
            return sent, left
    return sent, b""


def _write(descriptor: int, pieces: list[bytes]) -> bytes:
    """Send bytes as long as they flow; return what is left."""
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    while pieces:
        try:
            sent = os.writev(descriptor, pieces)
        except BlockingIOError:
            if not is_ready(descriptor, select.POLLOUT):
                break
            continue
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
        while pieces and sent >= len(pieces[0]):
            sent -= len(pieces.pop(0))
        if sent:
            pieces[0] = pieces[0][sent:]
    return b"".join(pieces)


def is_ready(descriptor: int, event: int) -> bool:
    """Whether a descriptor is ready for something within MOVE_PAUSE_SECONDS."""
    if sys.platform == "win32":
        raise AssertionError(NO_DESCRIPTORS)
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(limits_http.MOVE_PAUSE_SECONDS * 1000))
