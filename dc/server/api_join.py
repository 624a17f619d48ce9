"""`/api/join…`: computers that want to become workers. All of it is open to everybody.

A worker with a code joins by it. One without is let in by a person who compares a number that both
sides show: it knocks, reveals, and asks how far it is until somebody has said yes or no.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from dc import join_number
from dc.errors import (
    InviteRefused,
    NotPossible,
    StoreError,
    TooManyTries,
    UnknownKey,
    WorkerDeleted,
)
from dc.server.app import ServerApp
from dc.server.commands_access import JoinWorker, KnockWorker, RevealNumber
from dc.server.doorkeeper import Doorkeeper
from dc.server.routes import EVERYBODY, Call, Route
from dc.view_access import Join, Joined, Knock, KnockAnswer, Reveal

WRONG: Final = (InviteRefused,)


class JoinApi:
    """Answers requests of those who join.

    Args:
        app: the server.
        doorkeeper: who is let in.
    """

    def __init__(self, app: ServerApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    def routes(self) -> list[Route]:
        """Return what there is of joining."""
        path, tag = "/api/join", "access"
        full = (TooManyTries, NotPossible, WorkerDeleted, StoreError)
        return [
            Route(
                "POST", path, self._join, Joined, "Join by a code", tag, body=Join,
                problems=(InviteRefused, *full), roles=EVERYBODY,
            ),
            Route(
                "GET", f"{path}/keys/{{key}}", self._state, Joined, "How far a worker is in", tag,
                problems=(UnknownKey,), roles=EVERYBODY,
            ),
            Route(
                "POST", f"{path}/knock", self._knock, KnockAnswer, "Join without a code", tag,
                body=Knock, problems=full, roles=EVERYBODY,
            ),
            Route(
                "POST", f"{path}/reveal", self._reveal, Joined, "Have the number shown", tag,
                body=Reveal, problems=(InviteRefused, TooManyTries, StoreError), roles=EVERYBODY,
            ),
        ]  # fmt: skip

    @contextmanager
    def _counted(self, host: str) -> Iterator[None]:
        """Count what was wrong; TooManyTries if too much was."""
        tries = self._doorkeeper.tries
        tries.check_try(host, trio.current_time())
        try:
            yield
        except WRONG:
            tries.failed(host, trio.current_time())
            raise

    async def _join(self, call: Call[None, Join]) -> object:
        with self._counted(call.request.address):
            return await self._app.ask(JoinWorker(call.body), *call.by)

    async def _knock(self, call: Call[None, Knock]) -> object:
        nonce, pin = os.urandom(join_number.NONCE_BYTES), self._app.settings.shown_pin.hex()
        with self._counted(call.request.address):
            return await self._app.ask(KnockWorker(call.body, nonce, pin), *call.by)

    async def _reveal(self, call: Call[None, Reveal]) -> object:
        pin = self._app.settings.shown_pin.hex()
        with self._counted(call.request.address):
            return await self._app.ask(RevealNumber(call.body, pin), *call.by)

    async def _state(self, call: Call[None, None]) -> Joined:
        board, key = self._app.reactor.board, str(call.path["key"])
        now = self._app.wall()
        state = board.access.key_state(key, now)
        if state is None:
            raise UnknownKey("no worker with this key has joined, or waits to be let in")
        return Joined(server=board.server, state=state, name=board.access.name_of(key, now))
