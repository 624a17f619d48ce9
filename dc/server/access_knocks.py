"""Workers without a code that want to be let in: they wait, in memory alone, for a while.

Anybody can knock, so nothing of it is written down, there is room for few, and for fewer from one
address. Nothing is shown of one before it has revealed its half of the number: see `join_number`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from dc import limits_access as limits
from dc.errors import InviteRefused, TooManyTries
from dc.join_number import number
from dc.server.event_log import plain
from dc.server.networks import network_of
from dc.view_access import Knock

WRONG = "this does not fit what was said before: begin anew"


class Knocking(Struct, frozen=True):
    """A worker that has knocked.

    Attributes:
        knock: what it says.
        about: what of that it says it is, as far as there is room.
        nonce: the server's half.
        address: where it is.
        at: when it knocked, in Unix time.
        revealed: its own half, empty until it has told it.
        number: the six digits, empty until then.
    """

    knock: Knock
    about: dict[str, str]
    nonce: bytes
    address: str
    at: float
    revealed: bytes = b""
    number: str = ""

    def lasts(self, now: float) -> bool:
        """Whether it still waits; not if the clock was set back."""
        most = limits.KNOCK_SECONDS if self.number else limits.REVEAL_SECONDS
        return 0 <= now - self.at < most


class KnockBook:
    """Keeps them.

    Args:
        most: that wait at a time.
        most_of_address: of them, from one address.
    """

    def __init__(
        self, most: int = limits.KNOCKS, most_of_address: int = limits.KNOCKS_OF_ADDRESS
    ) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._waiting: dict[str, Knocking] = {}

    def knock(self, knock: Knock, nonce: bytes, address: str, now: float) -> None:
        """Have a worker wait; it begins anew if it has knocked before.

        Raises:
            TooManyTries: as many wait as may.
        """
        self.expire(now)
        others = [one for one in self._waiting.values() if one.knock.key != knock.key]
        near = network_of(address)
        if sum(network_of(one.address) == near for one in others) >= self._most_of_address:
            raise TooManyTries(
                f"{self._most_of_address} computers of this address wait to be let in already: let "
                "them in or refuse them first, or use a join code"
            )
        if len(others) >= self._most:
            raise TooManyTries("too many computers wait to be let in: use a join code, or wait")
        self._waiting.pop(knock.key, None)
        self._waiting[knock.key] = Knocking(knock, short(knock.about), nonce, address, now)

    def reveal(self, key: str, nonce: bytes, server: str, now: float) -> Knocking:
        """Take a worker's half of the number, which may be told again.

        Args:
            key: its public key.
            nonce: its half.
            server: as `join_number.number` takes it.
            now: Unix time.

        Raises:
            InviteRefused: it has not knocked, is late, or has told something else before.
        """
        self.expire(now)
        one = self._waiting.get(key)
        if one is None:
            raise InviteRefused(WRONG)
        told = hashlib.sha256(nonce).hexdigest()
        if not hmac.compare_digest(told, one.knock.commitment):
            del self._waiting[key]
            raise InviteRefused(WRONG)
        if not one.number:
            digits = number(server, key, nonce, one.nonce)
            one = self._waiting[key] = replace(one, revealed=nonce, number=digits)
        return one

    def pop(self, key: str) -> Knocking | None:
        """Have a worker wait no longer; return it, if it did."""
        return self._waiting.pop(key, None)

    def expire(self, now: float) -> None:
        """Forget those that have waited for too long."""
        for key in [key for key, one in self._waiting.items() if not one.lasts(now)]:
            del self._waiting[key]

    def get(self, key: str, now: float) -> Knocking | None:
        """Return the worker of a key, if it waits and has revealed its half."""
        one = self._waiting.get(key)
        return one if one is not None and one.number and one.lasts(now) else None

    def all(self, now: float) -> Iterator[Knocking]:
        """Yield those that can be let in, the oldest first."""
        for one in self._waiting.values():
            if one.number and one.lasts(now):
                yield one


def short(about: dict[str, str]) -> dict[str, str]:
    """Return what a worker says of itself, as far as there is room for it."""
    found: dict[str, str] = {}
    left = limits.ABOUT_CHARS
    for name, value in about.items():
        left -= len(name) + len(value)
        if left < 0:
            break
        found[plain(name)] = plain(value)
    return found
