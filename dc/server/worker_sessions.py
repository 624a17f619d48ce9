"""Sessions of workers: secrets by which they ask over HTTP while their socket is open.

A session is made when a socket is, and lasts a moment longer than that: what a worker asks for just
as its connection breaks is still answered. Only the SHA-256 of its secret is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from typing import Final

from msgspec import Struct

from dc import limits_access
from dc.roles import Principal

RANDOM_BYTES: Final = 20
"""Of a session's secret."""


class _Session(Struct, eq=False):
    """A session; `ends` is infinite while its socket is open."""

    principal: Principal
    ends: float


class WorkerSessions:
    """All of them. Times are in seconds, on a clock that does not go back."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, _Session] = {}
        self._by_peer: dict[int, _Session] = {}
        self._ending: deque[tuple[float, bytes, _Session]] = deque()
        self._digests: dict[int, bytes] = {}

    def make(self, principal: Principal, random: bytes, now: float) -> str:
        """Return the secret of a new session, whose socket is about to be opened.

        Args:
            principal: whose it is.
            random: RANDOM_BYTES random bytes.
            now: the time.
        """
        self._forget(now)
        secret = random.hex()
        session = _Session(principal, now + limits_access.SESSION_REST_SECONDS)
        self._by_digest[_digest(secret)] = session
        self._ending.append((session.ends, _digest(secret), session))
        return secret

    def opened(self, secret: str, peer: int) -> None:
        """Have a session last for as long as the socket of a peer."""
        digest = _digest(secret)
        if (session := self._by_digest.get(digest)) is not None:
            session.ends = math.inf
            self._by_peer[peer], self._digests[peer] = session, digest

    def closed(self, peer: int, now: float) -> None:
        """Note that the socket of a peer is gone; it need not have a session."""
        session = self._by_peer.pop(peer, None)
        if session is not None:
            session.ends = now + limits_access.SESSION_REST_SECONDS
            self._ending.append((session.ends, self._digests.pop(peer), session))
        self._forget(now)

    def who_has(self, secret: str, now: float) -> Principal | None:
        """Return whose session this is, None if it is none; may be given anything."""
        session = self._by_digest.get(_digest(secret))
        return session.principal if session is not None and now < session.ends else None

    def _forget(self, now: float) -> None:
        while self._ending and self._ending[0][0] <= now:
            _, digest, session = self._ending.popleft()
            if session.ends <= now and self._by_digest.get(digest) is session:
                del self._by_digest[digest]

    def __len__(self) -> int:
        return len(self._by_digest)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
