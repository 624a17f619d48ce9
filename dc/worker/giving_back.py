"""The part of the worker's reactor that gives the computer back to who needs it.

While somebody does, nothing is begun: what has not begun goes back to the server, which is told why
and sends nothing more; what runs stands still, and goes to others if it has to for long. The
connection goes on, and so does what was done: results are reported and recorded.

A server that does not understand that a worker rests would send again what it gets back, at once:
there, what waits stays here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dc import limits
from dc.messages_worker import Resting
from dc.worker.board import Board
from dc.worker.leaving import Departure
from dc.worker.suspending import Suspending

CAPABILITY: Final = "resting"
"""Of a server that understands the message; others would take it for bad bytes."""


class GivingBack:
    """Has a worker rest while its computer is in use.

    Args:
        board: what the parts of the reactor share.
        suspending: stops what runs.
        departure: hands back what waits.
        after: seconds for which tasks stand still, before others get them.
    """

    def __init__(
        self, board: Board, suspending: Suspending, departure: Departure, after: float
    ) -> None:
        self._board = board
        self._suspending = suspending
        self._departure = departure
        self._after = after
        self._understood = False
        self._reason = ""
        self._since = 0.0
        self._moved = False

    def in_use(self, reason: str) -> None:
        """Take note of why the computer is needed by others, or that it is not any more."""
        before, self._reason = self._reason, reason[: limits.TEXT_CHARS]
        if self._reason == before:
            return
        if not before:
            self._since, self._moved = self._board.now, False
            self._suspending.begin()
            self._board.say(f"resting: {reason}")
        elif not reason:
            self._suspending.end()
            self._board.say("working again: nobody else needs this computer")
        self._look()
        self._tell()

    def greeted(self, capabilities: Sequence[str]) -> None:
        """Note what the server that has answered understands."""
        self._understood = CAPABILITY in capabilities
        self._look()

    def begin(self) -> None:
        """Tell a server that has taken the worker in, before it sends anything."""
        if self._reason:
            self._tell()

    def tick(self) -> None:
        """Do what time brings about."""
        self._suspending.pass_time()
        if self._reason and not self._moved and self._board.now - self._since >= self._after:
            self._moved = True
            if moved := self._suspending.move():
                self._board.say(f"{moved} tasks have stood still for too long: others get them")

    def _look(self) -> None:
        self._departure.lent = bool(self._reason) and self._understood

    def _tell(self) -> None:
        if self._understood:
            self._board.send(Resting(self._reason))
