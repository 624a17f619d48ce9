"""Challenges for workers: texts that this server has made lately, each of which is taken once.

Nothing is remembered of a challenge until it is met: it says itself when it was made, and carries a
mac by a key that only this process has. So asking for challenges costs the server no memory. Those
that were met are remembered for as long as they would be taken.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from dc import limits_access

RANDOM_BYTES: Final = 16
"""Needed to make a challenge."""

KEY_BYTES: Final = 32
"""Of the key, which is random."""

MAC_BYTES: Final = 16


class Nonces:
    """Makes challenges and takes them back.

    Args:
        key: random bytes that nobody else knows.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._met: dict[int, set[bytes]] = {}  # by period

    def make(self, random: bytes, now: float) -> str:
        """Return a new challenge.

        Args:
            random: RANDOM_BYTES random bytes.
            now: seconds, on a clock that does not go back.
        """
        said = b"%x.%s" % (_period(now), random.hex().encode())
        return f"{said.decode()}.{self._mac(said)}"

    def is_good(self, nonce: str, now: float) -> bool:
        """Whether a challenge is of this server and of late, and was not met before."""
        period = self._period_of(nonce)
        if period is None or not 0 <= _period(now) - period <= 1:
            return False
        return _digest(nonce) not in self._met.get(period, ())

    def meet(self, nonce: str, now: float) -> bool:
        """Take note that a challenge was met; return whether it was good.

        It is not where too many were met of late: whoever it is may ask for another one later.
        """
        period = self._period_of(nonce)
        if period is None or not self.is_good(nonce, now):
            return False
        for old in [one for one in self._met if one < _period(now) - 1]:
            del self._met[old]
        met = self._met.setdefault(period, set())
        if len(met) >= limits_access.CHALLENGES_MET:
            return False
        met.add(_digest(nonce))
        return True

    def _period_of(self, nonce: str) -> int | None:
        """Return when a challenge was made, None if it is none of this server."""
        said, _, mac = nonce.rpartition(".")
        if not nonce.isascii() or not hmac.compare_digest(mac, self._mac(said.encode())):
            return None
        return int(said.partition(".")[0], 16)

    def _mac(self, said: bytes) -> str:
        return hmac.new(self._key, said, hashlib.sha256).digest()[:MAC_BYTES].hex()


def _period(now: float) -> int:
    return int(now // limits_access.CHALLENGE_SECONDS)


def _digest(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode()).digest()[:MAC_BYTES]
