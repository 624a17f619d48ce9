"""The gate: who a request or a socket is from, by what it shows.

How it works:
- A server that is not `secure` lets everybody in, as LOCAL.
- Otherwise a request shows a token or a worker's session (`Authorization: Bearer …`), or a browser
  shows the session that it was given (a cookie). What it shows there counts, and nothing beside it.
- A worker proves that it has its key, when it opens its socket: see dc/worker_proof.py.
- Who shows nothing, or what is not valid, is NOBODY. What NOBODY may do is decided where it is
  asked for, and so is what it is told: a token that was never made, one that has ended and one that
  was taken back are all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from dc import limits_access, tokens, worker_proof
from dc.errors import NotPermitted, NotSignedIn
from dc.records_access import KeyState
from dc.roles import LOCAL, NOBODY, Principal, Role
from dc.server.nonces import Nonces
from dc.server.worker_sessions import WorkerSessions
from dc.worker_proof import Challenge

COOKIE: Final = "dc-session"

NO_ANSWER: Final = "this is no answer to a challenge of this server: ask for a new one"

_BEARER: Final = re.compile(r"(?i:bearer) +([0-9A-Za-z._~+/=-]{1,200})\s*")


class Known(Protocol):
    """Who is let in, as `Access` knows it. Times are Unix times in seconds."""

    def who_has(self, token_text: str, now: float) -> Principal | None:
        """Return whose token this is, None if it is not valid."""

    def worker(self, key: str) -> Principal | None:
        """Return the worker of a key, None if it has not joined."""

    def key_state(self, key: str, now: float) -> KeyState | None:
        """Return whether a key waits or has joined, None if it is not known."""

    def stands(self, principal: Principal, now: float) -> bool:
        """Whether somebody who was let in still may be."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time: `wall` is Unix time in seconds, `now` a clock that does not go back."""

    wall: float
    now: float


class Gate:
    """Tells who asks.

    Args:
        known: gives who is let in.
        server: gives what workers sign of the server: see dc/worker_proof.py.
        sessions: of workers.
        nonces: challenges for workers.
        secure: whether anything has to be shown at all.
    """

    def __init__(
        self,
        known: Callable[[], Known],
        server: Callable[[], str],
        sessions: WorkerSessions,
        nonces: Nonces,
        *,
        secure: bool,
    ) -> None:
        self._known = known
        self._server = server
        self._sessions = sessions
        self._nonces = nonces
        self.secure = secure

    def principal(self, headers: Mapping[str, str], at: Moment) -> Principal:
        """Return who a request is from.

        Args:
            headers: by lower-cased name.
            at: the time.
        """
        if not self.secure:
            return LOCAL
        secret = shown(headers)
        if not secret or _is_token(secret):
            return self._of_token(secret, at)
        found = self._sessions.who_has(secret, at.now)
        return found if found is not None and self._known().stands(found, at.wall) else NOBODY

    def _of_token(self, secret: str, at: Moment) -> Principal:
        """Return whose token, or browser's session, this is."""
        found = self._known().who_has(secret, at.wall) if _is_token(secret) else None
        return NOBODY if found is None else found

    def worker(self, headers: Mapping[str, str], at: Moment) -> Principal:
        """Return who opens a socket: a worker by its proof, anybody else by a token.

        A worker's session opens none: it would be good for another one, and so for ever.

        Raises:
            NotSignedIn: what it shows is no proof, or is of a key that has not joined.
            NotPermitted: an operator has not said yes yet.
        """
        if not self.secure:
            return LOCAL
        said = headers.get("authorization", "")
        if not said.lower().startswith(worker_proof.SCHEME.lower()):
            return self._of_token(shown(headers), at)
        proof = worker_proof.read_proof(said)
        if proof is None or not self._nonces.is_good(proof.nonce, at.now):
            raise NotSignedIn(NO_ANSWER)
        state = self._known().key_state(proof.key, at.wall)
        if state is None:  # before the signature is looked at, which takes long
            raise NotSignedIn("this worker has not joined: join with a code of this server")
        if not proof.holds(self._server()):
            raise NotSignedIn(NO_ANSWER)
        found = self._known().worker(proof.key)
        if found is None:
            raise NotPermitted("this worker waits until an operator lets it in")
        if not self._nonces.meet(proof.nonce, at.now):
            raise NotSignedIn(NO_ANSWER)
        return found

    def challenge(self, random: bytes, at: Moment) -> Challenge:
        """Return what a worker is asked to sign, made of `nonces.RANDOM_BYTES` random bytes."""
        return Challenge(self._server(), self._nonces.make(random, at.now))


def shown(headers: Mapping[str, str]) -> str:
    """Return the secret that a request shows; empty if it shows none."""
    if (said := headers.get("authorization")) is not None:
        found = _BEARER.fullmatch(said[:300])
        return found[1] if found else ""
    return _cookie(headers.get("cookie", ""))


def _is_token(secret: str) -> bool:
    return secret.lower().startswith(tokens.PREFIX + "_")


def _cookie(text: str) -> str:
    for pair in re.split("[;,]", text[: limits_access.COOKIE_CHARS]):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value.strip('"')
    return ""


def admit(principal: Principal, roles: tuple[Role, ...]) -> None:
    """See to it that somebody may do what these roles may; all may if there are none.

    Raises:
        NotSignedIn: nobody may who has not signed in.
        NotPermitted: it has other roles.
    """
    if not roles or principal.may(*roles):
        return
    if principal is NOBODY or not principal.roles:
        raise NotSignedIn("this server wants to know who asks: sign in, or show a token")
    one = " or ".join(dict.fromkeys((*roles, "admin")))
    has = " and ".join(sorted(principal.roles))
    raise NotPermitted(f"this takes the role {one}, and this token has {has}")
