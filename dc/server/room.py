"""How many slots each worker is to use: the fewest that it has, its health and operators allow."""

from __future__ import annotations

from dc import limits
from dc.server.board import Board
from dc.server.health import Health
from dc.server.register import Register
from dc.server.roster import Worker


class Room:
    """Tells the scheduler how much room workers have.

    Args:
        board: where the scheduler is.
        health: how well the workers are.
        register: what operators have decided of them.
    """

    def __init__(self, board: Board, health: Health, register: Register) -> None:
        self._board = board
        self._health = health
        self._register = register

    def look(self, worker: Worker) -> None:
        """Give a worker the room that it may have now; none before it has said what it holds."""
        self._board.scheduler.set_slots(worker.id, self._slots(worker) if worker.ready else 0)

    def _slots(self, worker: Worker) -> int:
        row = self._register.get(worker.key)
        if worker.leaving or (row is not None and (row.state or row.order)):
            return 0
        if worker.until - self._board.now <= limits.LAST_SECONDS:
            return 0
        return self._health.slots(worker.process, worker.about.slots)
