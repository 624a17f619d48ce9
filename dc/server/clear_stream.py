"""A connection without TLS to a server that has it: for what a computer boots from, and no more."""

from __future__ import annotations

from dc import limits_http as limits
from dc.sockets import Buffer, TcpStream


class ClearStream(TcpStream):
    """Takes over a connection of which something was received.

    Args:
        stream: the connection; it is not to be used any more.
        buffer: to receive into.
        held: what was received.
    """

    __slots__ = ("_held",)

    def __init__(self, stream: TcpStream, buffer: Buffer, held: bytes) -> None:
        super().__init__(stream.socket, buffer)
        self._held = held

    def receive_now(self, most: int = limits.RECEIVE_BYTES) -> bytes | None:
        """Return what was held, or has come; see TcpStream."""
        if self._held:
            data, self._held = self._held[:most], self._held[most:]
            return data
        return super().receive_now(most)
