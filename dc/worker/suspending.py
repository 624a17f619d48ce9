"""The executors of a worker that stand still, for its computer is needed by somebody else.

The clock of a task stands still with it: its time limit, and what its run is said to have taken, do
not count the time. A task that is stopped meanwhile is killed after its grace, as it cannot answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dc.worker.board import Board
from dc.worker.neighbour_events import Resume, Suspend
from dc.worker.slots import Slot, State


class Suspending:
    """Stops and goes on with what runs.

    Args:
        board: what the parts of the reactor share.
        slots: all that there are.
        kill: kills the executor of one.

    Attributes:
        is_on: whether nothing is to run now.
    """

    def __init__(self, board: Board, slots: Sequence[Slot], kill: Callable[[Slot], None]) -> None:
        self._board = board
        self._slots = slots
        self._kill = kill
        self._looked = 0.0
        self.is_on = False

    def begin(self) -> None:
        """Have all executors stand still that have something to do."""
        self.is_on = True
        self._looked = self._board.now
        for slot in self._slots:
            if slot.state is State.READY and slot.batches:
                slot.suspended = True
                self._board.out.append(Suspend(slot.index))

    def end(self) -> None:
        """Let them go on."""
        self.pass_time()
        self.is_on = False
        for slot in self._stand_still():
            slot.suspended = slot.reported = False
            self._board.out.append(Resume(slot.index))

    def pass_time(self) -> None:
        """Let the clocks of what stands still fall behind."""
        if not self.is_on:
            return
        passed, self._looked = self._board.now - self._looked, self._board.now
        for slot in self._stand_still():
            slot.stand_still(passed)

    def move(self) -> int:
        """Kill what stands still, so that its tasks go to others; return how many tasks that is."""
        moved = 0
        for slot in self._stand_still():
            moved += slot.unfinished
            self._kill(slot)
        return moved

    def _stand_still(self) -> list[Slot]:
        return [one for one in self._slots if one.suspended and one.state is State.READY]
