"""TLS without IO: what a peer sends goes in, and what is meant comes out; and the other way round.

OpenSSL works here between two pieces of memory, which keep the size that they once had. So it is
fed, and asked, a record or so at a time: a connection that waits holds little.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

import trio

RECORD_BYTES: Final = 16 * 1024
"""What a record of TLS holds at most."""


_NOTHING: Final = memoryview(b"")


class Cipher:
    """One side of a connection.

    One thread may use it at a time. All of its methods that meet something that breaks the rules
    of TLS raise trio.BrokenResourceError; what `output` returns then tells the peer.

    Args:
        context: with the certificate of a server, or what a client believes.
        server: whether this is the server's side.
        name: that the client asks for, and verifies if its context says so.

    Attributes:
        piece_bytes: how many bytes OpenSSL is given at once; more for whoever moves many.
        is_over: the peer has said that nothing more comes.
    """

    __slots__ = (
        "_broken",
        "_ended",
        "_has_more",
        "_incoming",
        "_outgoing",
        "_plain",
        "_raw",
        "_tls",
        "is_over",
        "piece_bytes",
    )

    def __init__(self, context: ssl.SSLContext, *, server: bool, name: str | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # Bytes are taken as they are. Text would be by the codec for other alphabets, whose import
        # alone takes a slow computer a tenth of a second: who is reached by addresses in figures
        # never needs it. Names have been by it already, see `read_url`.
        host = name.encode() if name is not None and name.isascii() else name
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=host
        )
        self._raw = _NOTHING  # received, and not fed yet
        self._broken: OSError | None = None  # what breaks the rules, behind what is good
        self._ended = False  # the stream has, which OpenSSL does not know yet
        self._has_more = False  # of a record that was returned in part, perhaps
        self._plain = b""  # decrypted before our last word, and not returned yet
        self.piece_bytes = RECORD_BYTES
        self.is_over = False

    def take(self, data: bytes | memoryview) -> None:
        """Take what was received; empty for the end of the stream.

        A view is looked at until all of it has been returned.
        """
        if data:
            self._raw = memoryview(bytes(self._raw) + bytes(data) if self._raw else data)
        else:
            self._ended = True

    def output(self) -> bytes:
        """Return what is to be sent beside what `encrypt` returns."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def shake(self) -> bool:
        """Go on with the handshake; return whether it is done, and otherwise wants more."""
        while True:
            try:
                self._tls.do_handshake()
                return True
            except ssl.SSLWantReadError:
                if not self._feed():
                    return False
            except OSError as error:
                raise _broken(error) from error

    @property
    def certificate(self) -> bytes:
        """What the peer has shown (DER); empty if it has shown none."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def version(self) -> str:
        """What is spoken, as `TLSv1.3`."""
        return self._tls.version() or ""

    @property
    def holds(self) -> bool:
        """Whether something was taken that has not been returned, be it but a part of a record."""
        return bool(self._raw or self._incoming.pending or self._has_more or self._plain)

    def decrypt_into(self, view: memoryview) -> int | None:
        """Put what came into a buffer; return how many bytes, 0 at the end, None for none so far.

        A stream that ends without a word is broken: somebody may have cut it.
        """
        at, size, incoming = self._give_plain(view), len(view), self._incoming
        while at < size and not self.is_over and self._broken is None:
            if not (incoming.pending or self._has_more or self._feed()):
                break
            try:
                got = int(self._tls.read(size - at, view[at:]))
            except ssl.SSLWantReadError:
                self._has_more = False
                if not self._feed():
                    break
            except ssl.SSLZeroReturnError:  # the last word, after ours
                self.is_over = True
            except OSError as error:
                self._broken = error
            else:
                self.is_over = not got
                at += got
                self._has_more = at == size
        if self._broken is not None and not at:
            raise _broken(self._broken) from self._broken
        return at if at or self.is_over else None

    def _give_plain(self, view: memoryview) -> int:
        given = min(len(view), len(self._plain))
        view[:given], self._plain = self._plain[:given], self._plain[given:]
        return given

    def encrypt(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return what is to be sent for these bytes, and for what was to be said before them."""
        return b"".join(self.records(data))

    def records(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Return the same in pieces: a large one for the whole would be slow to get (measured)."""
        pieces = []
        with memoryview(data) as view:
            for start in range(0, len(view), self.piece_bytes):
                try:
                    self._tls.write(view[start : start + self.piece_bytes])
                except OSError as error:
                    raise _broken(error) from error
                pieces.append(self._outgoing.read())
        return pieces

    def end(self) -> bytes:
        """Return the last word, behind which nothing can be encrypted."""
        self._put_aside()
        with suppress(OSError):  # it would like to have the peer's as well
            self._tls.unwrap()
        return self.output()

    def _put_aside(self) -> None:
        """Keep what came from OpenSSL, which would take it for an answer to the last word."""
        with suppress(OSError):
            while self._tls.pending():
                self._plain += self._tls.read(self._tls.pending())
        if self._incoming.pending:
            self._raw = memoryview(self._incoming.read() + bytes(self._raw))

    def _feed(self) -> bool:
        """Give OpenSSL more of what was received; return whether there was any."""
        if self._raw:
            self._incoming.write(self._raw[: self.piece_bytes])
            self._raw = self._raw[self.piece_bytes :] or _NOTHING  # not an empty view of it
        elif self._ended:
            self._ended, self._has_more = False, True  # an error, to be read
            self._incoming.write_eof()
        else:
            return False
        return True


def _broken(error: OSError) -> trio.BrokenResourceError:
    text = getattr(error, "reason", None) or str(error)
    return trio.BrokenResourceError(f"TLS: {str(text).replace('_', ' ').lower()}")
