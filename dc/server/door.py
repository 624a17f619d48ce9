"""The door of a server with TLS: who comes in speaks TLS, or is told to, at no cost.

The first byte tells: 0x16 begins a handshake of TLS. What is HTTP is answered in the clear, with
where to go instead; but what a computer boots from, `/boot/…`, may be read in the clear, as boot
loaders trust no certificate of ours: see dc/server/site.py. All else is closed without a word.
Those who do not come to an end are closed when their time is over, or when many others are in the
midst of it, the oldest first: so thousands of half-open connections keep nobody out who is quicker.
"""

from __future__ import annotations

import logging
import re
from typing import Final

import trio

from dc import limits_access
from dc.server.certificate import ServerCertificate
from dc.server.clear_stream import ClearStream
from dc.sockets import Buffer, TcpStream
from dc.tls_stream import CLOSED, TlsStream

log: Final = logging.getLogger("dc.server")

HANDSHAKE: Final = 0x16
TEXT: Final = "this server speaks TLS: use https:// in place of http:// in its address\n"
WORDS: Final = "Use https: this server speaks TLS"

_REQUEST: Final = re.compile(rb"(GET|HEAD) (/[\x21-\x7e]*) HTTP/1\.[01]\r?\n")
_OTHER: Final = re.compile(rb"[A-Z]{3,10} [\x21-\x7e]+ HTTP/1\.[01]\r?\n")
_HOST: Final = re.compile(rb"\nhost:[ \t]*([A-Za-z0-9.:_\[\]-]{1,255})[ \t]*\r?\n", re.IGNORECASE)
_BOOT: Final = (b"GET /boot/", b"HEAD /boot/")
_UPGRADE: Final = re.compile(rb"\nupgrade:", re.IGNORECASE)


class Door:
    """Takes connections in.

    Args:
        certificate: what is shown.
        buffer: to decrypt into.
    """

    def __init__(self, certificate: ServerCertificate, buffer: Buffer) -> None:
        self._certificate = certificate
        self._buffer = buffer
        self._shaking: dict[trio.CancelScope, None] = {}

    def __len__(self) -> int:
        return len(self._shaking)

    async def open(self, stream: TcpStream) -> TlsStream | ClearStream | None:
        """Return a connection as TLS, or what asks for `/boot/…` without it.

        None if it is neither, and was closed.
        """
        if len(self._shaking) >= limits_access.HANDSHAKES:
            oldest = next(iter(self._shaking))
            del self._shaking[oldest]
            oldest.cancel()
        opened = None
        with trio.move_on_after(limits_access.HANDSHAKE_SECONDS) as scope:
            self._shaking[scope] = None
            try:
                opened = await self._open(stream)
            except CLOSED as error:
                log.debug("no TLS: %s", error)
            finally:
                self._shaking.pop(scope, None)
                if opened is None:  # also if others need the place
                    await trio.aclose_forcefully(stream)
        return opened

    async def _open(self, stream: TcpStream) -> TlsStream | ClearStream | None:
        first = await stream.receive_some(limits_access.HANDSHAKE_BYTES)
        if first and first[0] != HANDSHAKE:
            head = await _beginning(stream, first)
            if head.startswith(_BOOT):
                return ClearStream(stream, self._buffer, head)
            await _tell(stream, head)
        elif first:
            tls = TlsStream(stream, self._certificate.context, self._buffer, server=True)
            await tls.shake_hands(first)
            return tls
        return None


async def _beginning(stream: TcpStream, head: bytes) -> bytes:
    """Return the beginning of a head, as far as it takes to tell whether it is for `/boot/…`."""
    while any(one.startswith(head) and one != head for one in _BOOT):
        piece = await stream.receive_some(limits_access.PLAIN_HEAD_BYTES)
        if not piece:
            break
        head += piece
    return head


async def _tell(stream: TcpStream, head: bytes) -> None:
    """Answer a request in the clear, if it is one."""
    while b"\n\r\n" not in head and len(head) < limits_access.PLAIN_HEAD_BYTES:
        if not head[:1].isupper():
            return
        piece = await stream.receive_some(limits_access.PLAIN_HEAD_BYTES)
        if not piece:
            return
        head += piece
    if said := in_the_clear(head):
        await stream.send_all(said)
        await stream.send_eof()


def in_the_clear(head: bytes) -> bytes:
    """Return the answer to a request that came without TLS, empty if it is none.

    Args:
        head: of the request, or its beginning.
    """
    asked, host = _REQUEST.match(head), _HOST.search(head)
    if asked is not None and host is not None and not _UPGRADE.search(head):
        to = f"Location: https://{host[1].decode()}{asked[2].decode()}\r\n"
        return _answer(f"308 {WORDS}", to)
    return _answer(f"400 {WORDS}", "") if _OTHER.match(head) else b""


def _answer(status: str, more: str) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\n{more}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(TEXT)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{TEXT}"
    ).encode()
