"""What the server was started with."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from dc.server.guard import Allowed
from dc.server.keep import Keep
from dc.server.quotas import NONE, Quotas
from dc.server.settings import Option, Values
from dc.wake import Waker


class Settings(Struct, frozen=True):
    """What the server was started with; `started` is the Unix time.

    `reserve` is how many bytes of the disk are left to what is in the database, None for the usual;
    `options` are all that the command line has. `secure` is whether everybody has to show who they
    are; `pin` is the SHA-256 of the server's key, empty where that is not needed: without TLS, or
    if the authorities vouch for the certificate; `shown_pin` is that of the key it shows by TLS,
    and empty if a proxy does; `behind_proxy` is whether a proxy on this computer says whose
    requests it passes on; `allowed` is how much others may ask for; `waker` wakes computers;
    `os_image` are the folders in which an image may be for computers to boot from, the first one
    with a kernel counts.
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
    behind_proxy: bool = False
    shown_pin: bytes = b""
    allowed: Allowed = Allowed()
    waker: Waker = Waker()
    os_image: list[Path] = []

    @property
    def given(self) -> Values:
        """What of it can be changed while the server runs."""
        return Values(self.quotas, self.keep, self.reserve)
