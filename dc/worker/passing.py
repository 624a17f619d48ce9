"""What an executor is given that the first waiting task does not suit.

An executor that has taken dependencies or variables into itself suits no task with other ones. Were
it replaced whenever one of these is first, two such jobs would have executors replaced for each of
their turns. So for a while it gets what waits further behind, or rests if another executor is to
take the first task; after PASS_SECONDS that has waited for long enough.
"""

from __future__ import annotations

from dc import limits_worker as limits
from dc.worker.amounts import Amounts
from dc.worker.board import Board
from dc.worker.slots import Slot, State
from dc.worker.tasks import Chunk


class Passing:
    """Looks for work that suits an executor.

    Args:
        board: what the parts of the reactor share.
        slots: of the worker.
        amounts: what the worker has, and what of it slots use.
    """

    def __init__(self, board: Board, slots: list[Slot], amounts: Amounts) -> None:
        self._board = board
        self._slots = slots
        self._amounts = amounts
        self._order = -1  # of the task that is passed
        self._until = 0.0

    def admits(self) -> bool:
        """Whether something waits, and what the first task needs is free."""
        queue = self._board.queue
        return bool(queue) and self._amounts.fits(queue.head().resources)

    def suits(self, slot: Slot, chunk: Chunk) -> bool:
        """Whether a slot's executor can run these tasks."""
        return slot.suits(chunk.job, self._amounts.preview(slot.index, chunk.resources))

    def is_waiting(self) -> bool:
        """Whether the first task is waited with, though an executor may be idle."""
        return self._board.now < self._until and self._board.queue.head().order == self._order

    def choose(self, slot: Slot) -> tuple[Chunk | None, bool]:
        """Return what an idle executor is to get that does not suit the first task.

        Returns:
            Tasks, if some suit it; and whether it is to stay as it is without any.
        """
        if not self.admits():
            return None, True
        queue, now = self._board.queue, self._board.now
        if queue.head().order != self._order:
            self._order, self._until = queue.head().order, now + limits.PASS_SECONDS
        if now >= self._until:
            return None, False
        for chunk in queue.in_order():
            if self._amounts.fits(chunk.resources) and self.suits(slot, chunk):
                return chunk, True
        return None, any(self._is_to_take(one) for one in self._slots if one is not slot)

    def _is_to_take(self, slot: Slot) -> bool:
        """Whether a slot that is at work, or is starting, suits the first task then."""
        if slot.closing or slot.state is State.RESTING:
            return False
        return slot.state is not State.READY or self.suits(slot, self._board.queue.head())
