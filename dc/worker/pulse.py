"""The part of the worker's reactor that gives signs of life, and says how the computer is.

A heartbeat goes out when nothing else did for a while. How the computer is, is looked at every
VITALS_SECONDS while the worker holds tasks, once more when it holds none any more, and once when a
server has taken it in: a worker that is idle for good says nothing but heartbeats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from dc import limits, limits_worker
from dc.messages import Heartbeat
from dc.worker.board import Board
from dc.worker.events import Measure, Measured

CAPABILITY: Final = "vitals"
"""Of a server that understands the message; others would take it for bad bytes."""


class Pulse:
    """Says when to look at the computer. `board` is what the reactor's parts share."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._understood = False
        self._measuring = False
        self._due = math.inf  # when to look next, if tasks are held then or were at the last look
        self._had_tasks = False

    def greeted(self, capabilities: Sequence[str]) -> None:
        """Note what the server that has answered understands."""
        self._understood = CAPABILITY in capabilities

    def begin(self) -> None:
        """Look at the computer for a server that has taken the worker in."""
        self._due = self._board.now
        self._had_tasks = True  # whether it has or not, it is to be said once

    def tick(self) -> None:
        """Do what time brings about."""
        board = self._board
        if board.can_send and board.now - board.sent >= limits.HEARTBEAT_SECONDS:
            board.send(Heartbeat())
        if not self._understood or not board.can_send or self._measuring or board.now < self._due:
            return
        has_tasks = any(job.held for job in board.jobs.values())
        if has_tasks or self._had_tasks:
            self._had_tasks = has_tasks
            self._due = board.now + limits_worker.VITALS_SECONDS
            self._measuring = True
            board.out.append(Measure())

    def measured(self, event: Measured) -> None:
        """Say how the computer is."""
        self._measuring = False
        if self._understood:
            self._board.send(event.vitals)
