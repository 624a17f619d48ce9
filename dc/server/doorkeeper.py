"""The gate's shell: it gives it the time and random bytes, and tells those whom it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import trio
from msgspec.structs import replace

from dc import worker_proof
from dc.errors import DcError, NotPermitted, NotSignedIn
from dc.http import Request, Response, Upgrade
from dc.http_patched import Patched
from dc.roles import NOBODY, Principal
from dc.server import nonces, worker_sessions
from dc.server.api_bytes import SOCKET
from dc.server.app import ServerApp
from dc.server.commands_access import Audit
from dc.server.events import Asked
from dc.server.gate import Gate, Moment, admit, shown
from dc.server.long_answers import LongAnswers
from dc.server.nonces import Nonces
from dc.server.problems import problem


class Tries(Protocol):
    """Keeps those waiting who have shown too much that was wrong; times are of a steady clock."""

    def check_try(self, host: str, now: float) -> None:
        """See to it that somebody may try; TooManyTries if it has to wait."""

    def failed(self, host: str, now: float) -> None:
        """Note that what somebody has shown was wrong."""

    def passed(self, host: str) -> None:
        """Note that what somebody has shown was right."""


class AllTries:
    """Lets everybody try."""

    def check_try(self, host: str, now: float) -> None:
        """Let them."""

    def failed(self, host: str, now: float) -> None:
        """Take no note."""

    def passed(self, host: str) -> None:
        """Take no note."""


class Doorkeeper:
    """Tells who asks, and refuses.

    Args:
        app: the server.

    Attributes:
        gate: decides who it is.
        answers: those that go on for long.
        tries: keeps those waiting who try too often.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self.gate = Gate(
            lambda: app.reactor.board.access,
            lambda: app.settings.shown_pin.hex() or app.reactor.board.server,
            app.sessions,
            Nonces(os.urandom(nonces.KEY_BYTES)),
            secure=app.settings.secure,
        )
        self.answers = LongAnswers(app, self._stands)
        self.tries: Tries = AllTries()

    def moment(self) -> Moment:
        """Return the time."""
        return Moment(self._app.wall(), trio.current_time())

    def who(self, request: Request) -> Principal:
        """Return who a request is from.

        Raises:
            NotSignedIn, NotPermitted: it opens a socket by a proof that does not hold.
        """
        if not self.gate.secure:
            return request.principal
        request.principal = NOBODY  # until it is known better
        if _is_socket(request):
            return self.gate.worker(request.headers, self.moment())
        return self.gate.principal(request.headers, self.moment())

    def upgrade(self, request: Request, headers: list[tuple[str, str]]) -> Upgrade:
        """Return the answer that opens a socket; a worker gets a session by it.

        Raises:
            NotSignedIn, NotPermitted: whoever asks may not.
        """
        who = request.principal
        admit(who, SOCKET)
        if who.is_local or "work" not in who.roles:
            return Upgrade(headers, (who, "", request.address))
        # By a token that may do more, a session does no more than a worker does.
        worker = replace(who, roles=frozenset({"work"}))
        random = os.urandom(worker_sessions.RANDOM_BYTES)
        session = self._app.sessions.make(worker, random, trio.current_time())
        state = who, session, request.address
        return Upgrade([*headers, (worker_proof.SESSION_HEADER, session)], state)

    def refused(self, request: Request, error: DcError) -> Response:
        """Return the answer to a request that ended in an error; note it if nobody was let in."""
        answer = problem(error)
        if not isinstance(error, NotSignedIn | NotPermitted) or not self.gate.secure:
            return answer
        if isinstance(error, NotSignedIn):
            answer.headers.append(("WWW-Authenticate", self._wanted(request)))
        if request.principal is not NOBODY or shown(request.headers):
            self._note(request)
        return answer

    def _wanted(self, request: Request) -> str:
        if not _is_socket(request):
            return 'Bearer realm="dc"'
        return self.gate.challenge(os.urandom(nonces.RANDOM_BYTES), self.moment()).header

    def _note(self, request: Request) -> None:
        """Have the audit log say that somebody asked for what it may not have."""
        what = Audit("request.refused", f"{request.method} {request.path[:200]}")
        self._app.feed(Asked(what, _nobody, request.principal, request.address))

    def watched(self, request: Request, answer: Response | Upgrade) -> Response | Upgrade:
        """Return an answer that breaks off when who asked may not have it any more."""
        who = request.principal
        if who.is_local or not isinstance(answer, Response):
            return answer
        if who is not NOBODY and not isinstance(answer.body, bytes | Path | Patched):
            answer.body = self.answers.add(who, answer.body)
        return answer

    def _stands(self, principal: Principal) -> bool:
        return self._app.reactor.board.access.stands(principal, self._app.wall())


def _is_socket(request: Request) -> bool:
    return request.path.strip("/") == "socket"


def _nobody(_: object) -> None:
    """Stand in for who is not there."""
