"""How a worker comes to its end: whether it takes tasks, until when it may finish what it has.

A worker *rests* while its operator has it take nothing: what it has not begun goes back, and so
does what its executors give back. The next assignment ends that. While its computer is *lent* to
somebody else, it does the same, until that ends (dc/worker/giving_back.py). It *drains* if it is to
leave once it has finished; then nothing is taken any more. It *leaves* when all that runs is given
up, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

from dc import limits_worker as limits
from dc.errors import ProtocolError
from dc.messages_worker import End, Goodbye, Leaving
from dc.worker.assignments import Assignments
from dc.worker.board import Board
from dc.worker.executors import Executors

DELETED: Final = "deleted"
"""Stands for what the computer is to do, where the server has forgotten the worker instead."""


class Departure:
    """What a worker still takes and finishes.

    Args:
        board: what the parts of the reactor share.
        executors: what runs.
        assignments: what the server gives.
        idle_exit: seconds without anything to do, after which it leaves.

    Attributes:
        resting: whether it takes nothing at present.
        lent: whether it takes nothing because its computer is in use by somebody else.
        draining: whether it leaves once it has finished what it has begun.
        leave_by: when it ends, whatever is left; None before it leaves.
        again: whether its program is to start anew.
        power: what its computer is to do then, as in `End`.
    """

    def __init__(
        self,
        board: Board,
        executors: Executors,
        assignments: Assignments,
        idle_exit: float = math.inf,
    ) -> None:
        self._board = board
        self._executors = executors
        self._assignments = assignments
        self._idle_exit = idle_exit
        self._busy_at: float | None = None
        self._drain_by = math.inf
        self.resting = False
        self.lent = False
        self.draining = False
        self.leave_by: float | None = None
        self.again = False
        self.power = ""

    def rest(self) -> None:
        """Hand back what has not begun, now and later."""
        self.resting = True
        self.hand_back()

    def hand_back(self) -> None:
        """Hand back what waits here."""
        board = self._board
        for chunk in board.waiting():
            board.return_chunk(chunk)
        for one in list(board.fetching):
            board.fetching.drop(one)
            board.reports.add_returned(one.chunk.job, one.chunk.numbers, one.chunk.attempts)

    def told(self, message: End, orders: Collection[str]) -> None:
        """Come to the end as the server says, which may give `orders` to this computer.

        Raises:
            ProtocolError: it gives another one.
        """
        if message.power and message.power not in orders:
            raise ProtocolError(f"it orders {message.power}, which this worker does not take")
        self._board.say(f"the server says: {message.text}")
        finish = math.inf if message.drained else 0.0
        self.end(finish, again=message.again, power=message.power)

    def end(self, finish: float, *, again: bool, power: str = "") -> None:
        """Come to the end.

        Args:
            finish: seconds in which what has begun may still be finished.
            again: whether the program is to start anew.
            power: what the computer is to do then, as in `End`.
        """
        self.again, self.power = again, power
        if finish:
            self.drain(finish)
        else:
            self.leave()

    def drain(self, seconds: float = math.inf) -> None:
        """Take nothing more; leave once all is finished, or after so many seconds."""
        self._drain_by = min(self._drain_by, self._board.now + seconds)
        if not self.draining and self.leave_by is None:
            self.draining = True
            self.rest()
            self._board.send(Leaving())

    def leave(self) -> None:
        """Give up what runs, and end as soon as the server has what it needs to know."""
        if self.leave_by is not None:
            return
        self.leave_by = self._board.now + limits.LEAVE_SECONDS
        self.hand_back()
        self._executors.leave()

    def look(self) -> None:
        """Go on with what has become possible by the last event."""
        if (self.resting or self.lent) and self._has_waiting:
            self.hand_back()
        if self.draining and self.leave_by is None and self._is_done:
            self.leave()

    def tick(self) -> None:
        """Do what time brings about."""
        board = self._board
        if self._busy_at is None or self.lent or not self._is_done:
            self._busy_at = board.now
        if self.leave_by is not None:
            return
        if board.now - self._busy_at >= self._idle_exit:
            board.say(f"there was nothing to do for {self._idle_exit:g} s: leaving")
            self.leave()
        elif self.draining and board.now >= self._drain_by:
            self.leave()

    def may_end(self, *, welcome: bool, durable: bool) -> bool:
        """Say the last words if nothing is left to wait for, or no more time; whether that is so.

        Args:
            welcome: whether the server listens.
            durable: whether what is kept on disk outlives this process.
        """
        board = self._board
        if self.leave_by is not None and board.now < self.leave_by:
            if self._executors.alive or board.reports.has_drafts or len(board.puts):
                return False
            if len(board.reports) if welcome else board.reports.has_outcomes:
                return False
        self._executors.return_rest()
        if not durable:
            self._return_puts()
        board.flush()
        left = len(board.puts) + board.reports.outcomes
        if left and durable:
            # No Goodbye: the server keeps these attempts for the next process, as long as it can.
            self._assignments.return_unwanted()
            board.flush()
            board.say(f"{left} results are not recorded yet; the next start reports them")
        else:
            board.send(Goodbye())
        return True

    def _return_puts(self) -> None:
        """Hand back the tasks whose large results are not at the server, and will be lost."""
        board = self._board
        for one in list(board.puts):
            board.drop_put(one)
            board.reports.add_returned(one.job, [one.number], [one.attempt])

    @property
    def _has_waiting(self) -> bool:
        """Whether there is something that no executor has begun."""
        board = self._board
        return bool(board.queue or len(board.fetching) or board.plugins.count)

    @property
    def _is_done(self) -> bool:
        """Whether nothing runs or waits, and the server has recorded all that there was."""
        board = self._board
        here = self._executors.given or self._has_waiting or len(board.puts)
        return not (here or board.reports.has_drafts or len(board.reports))
