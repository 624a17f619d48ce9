"""A server, as a worker that has joined it knows it again."""

from __future__ import annotations

from msgspec import Struct


class JoinedServer(Struct, frozen=True):
    """A server that a worker has joined, or has asked to let it in.

    Attributes:
        server: its identity, empty until it has answered.
        pin: what is known of its key: 16 to 32 bytes as hexadecimal digits; empty if it has a
            certificate of the authorities instead.
        addresses: as HOST:PORT, the likeliest first.
        secret: of the join code, as hexadecimal digits, until the server has answered.
        is_in: whether the server has let this worker in.
    """

    server: str
    pin: str
    addresses: list[str]
    secret: str = ""
    is_in: bool = False

    def is_same(self, other: JoinedServer) -> bool:
        """Whether both are one server, by its key or, of one without a pin, by its address."""
        if self.pin and other.pin:
            return self.pin.startswith(other.pin) or other.pin.startswith(self.pin)
        return self.pin == other.pin and not set(self.addresses).isdisjoint(other.addresses)

    def merged(self, older: JoinedServer) -> JoinedServer:
        """Return this one with what was known of it before."""
        addresses = dict.fromkeys([*self.addresses, *older.addresses])
        return JoinedServer(
            self.server or older.server,
            max(self.pin, older.pin, key=len),
            list(addresses),
            self.secret,
            self.is_in,
        )
