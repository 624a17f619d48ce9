"""What the server was started with."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from dc.server.guard import Allowed
from dc.server.keep import Keep
from dc.server.quotas import NONE, Quotas
from dc.server.settings import Option, Values


class Settings(Struct, frozen=True):
    """What the server was started with; `started` is the Unix time.

    `reserve` is how many bytes of the disk are left to what is in the database, None for the usual;
    `options` are all that the command line has. A server that is `secure` wants to know who
    everybody is; `pin` is the SHA-256 of its public key, empty if it has no certificate of its own.
    `allowed` is how much others may ask for.
    """

    software: str
    address: str
    data: Path
    started: float
    keep: Keep = Keep()
    quotas: Quotas = NONE
    reserve: int | None = 0
    options: list[Option] = []
    secure: bool = False
    pin: bytes = b""
    allowed: Allowed = Allowed()

    @property
    def given(self) -> Values:
        """What of it can be changed while the server runs."""
        return Values(self.quotas, self.keep, self.reserve)
