"""How many slots each worker is to use: the fewest that it has, its health and operators allow.

A worker that leaves at a set time gets no task that is known to take longer, and none at all in the
last seconds before.
"""

from __future__ import annotations

import math

from dc.server.board import Board
from dc.server.health import Health
from dc.server.register import Register
from dc.server.roster import Roster, Worker


class Room:
    """Tells the scheduler how much room workers have.

    Args:
        board: where the scheduler is.
        roster: the workers.
        health: how well they are.
        register: what operators have decided of them.
    """

    def __init__(self, board: Board, roster: Roster, health: Health, register: Register) -> None:
        self._board = board
        self._roster = roster
        self._health = health
        self._register = register
        self._leaving: dict[int, Worker] = {}

    def look(self, worker: Worker) -> None:
        """Give a worker the room that it may have now; none before it has said what it holds."""
        self._board.scheduler.set_slots(worker.id, self._slots(worker) if worker.ready else 0)
        if worker.until < math.inf:
            self._leaving[worker.id] = worker
            self._board.scheduler.set_longest(worker.id, worker.longest(self._board.now))
        elif self._leaving.pop(worker.id, None) is not None:  # it has come back, and stays
            self._board.scheduler.set_longest(worker.id, -1.0)

    def _slots(self, worker: Worker) -> int:
        row = self._register.get(worker.key)
        if worker.leaving or worker.resting or (row is not None and (row.state or row.order)):
            return 0
        if not worker.longest(self._board.now):
            return 0
        return self._health.slots(worker.process, worker.about.slots)

    def tick(self) -> None:
        """Look at those that leave at a set time, which has come nearer."""
        for id_, worker in list(self._leaving.items()):
            if self._roster.by_id.get(id_) is not worker:
                del self._leaving[id_]
            else:
                self.look(worker)
